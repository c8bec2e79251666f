// The bytes of `stats` answers cut into rows. They come from outside: lines, rows and answers are bounded,
// and what is no answer to `stats` ends the conversation instead of being guessed at.

/// One `STAT name value` line, made printable.
struct StatRow: Equatable, Sendable {
    let name: String
    let value: String
}

/// Everything a daemon said to one question.
struct Answer: Equatable, Sendable {
    var rows: [StatRow] = []
    /// The error line, if it was one.
    var refusal: String?
    /// Rows beyond the bound, not kept.
    var rowsLeftOut = 0
}

struct AnswerReader {
    static let longestLine = 4096
    static let mostRows = 60_000
    static let mostBytes = 16 << 20

    /// Why the conversation can't go on.
    struct Fault: Error, Equatable {
        let reason: String
    }

    private var line: [UInt8] = []
    private var answer = Answer()
    private var size = 0

    /// True between answers: nothing half-read.
    var isEmpty: Bool { line.isEmpty && answer == Answer() }

    /// Takes what was received and returns the answers it completes.
    mutating func feed(_ bytes: ArraySlice<UInt8>) throws(Fault) -> [Answer] {
        var done: [Answer] = []
        var rest = bytes
        while !rest.isEmpty {
            let end = rest.firstIndex(of: 0x0A)
            let piece = rest[..<(end ?? rest.endIndex)]
            guard line.count + piece.count <= Self.longestLine else {
                throw Fault(reason: "a line too long for stats")
            }
            size += piece.count + 1
            guard size <= Self.mostBytes else { throw Fault(reason: "an answer too long for stats") }
            line += piece
            guard let end else { break }
            rest = rest[(end + 1)...]
            if line.last == 0x0D { line.removeLast() }
            if try takeLine() {
                done.append(answer)
                answer = Answer()
                size = 0
            }
            line.removeAll(keepingCapacity: true)
        }
        return done
    }

    /// Whether the line ends the answer.
    private mutating func takeLine() throws(Fault) -> Bool {
        if line.starts(with: Self.row) {
            let words = line.dropFirst(Self.row.count)
                .split(separator: 0x20, maxSplits: 1, omittingEmptySubsequences: false)
            guard answer.rows.count < Self.mostRows else {
                answer.rowsLeftOut += 1
                return false
            }
            answer.rows.append(
                StatRow(
                    name: Figures.printable(words[0], limit: 64),
                    value: words.count > 1 ? Figures.printable(words[1]) : ""))
            return false
        }
        if Self.endings.contains(where: { line.elementsEqual($0) }) { return true }
        if Self.refusals.contains(where: { line.starts(with: $0) }) {
            answer.refusal = Figures.printable(line, limit: 80)
            return true
        }
        throw Fault(reason: "doesn't speak memcached's text protocol")
    }

    private static let row = Array("STAT ".utf8)
    private static let endings = ["END", "RESET", "STORED"].map { Array($0.utf8) }
    private static let refusals = ["ERROR", "CLIENT_ERROR", "SERVER_ERROR"].map { Array($0.utf8) }
}
