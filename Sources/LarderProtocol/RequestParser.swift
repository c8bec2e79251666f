// Bytes -> operations. Reads as many requests as fit a batch; the common ones by a few word loads, everything
// else line by line. The contract: an operation and where the input goes on, or need more, or refuse. No
// callbacks.
import LarderStore

/// The first four bytes of a line as a little-endian word.
enum Verb {
    static let get: UInt32 = 0x2074_6567       // "get "
    static let gets: UInt32 = 0x7374_6567      // "gets"
    static let gat: UInt32 = 0x2074_6167       // "gat "
    static let gats: UInt32 = 0x7374_6167      // "gats"
    static let set: UInt32 = 0x2074_6573       // "set "
    static let add: UInt32 = 0x2064_6461       // "add "
    static let cas: UInt32 = 0x2073_6163       // "cas "
    static let replace: UInt32 = 0x6C70_6572   // "repl"
    static let append: UInt32 = 0x6570_7061    // "appe"
    static let prepend: UInt32 = 0x7065_7270   // "prep"
    static let incr: UInt32 = 0x7263_6E69      // "incr"
    static let decr: UInt32 = 0x7263_6564      // "decr"
    static let touch: UInt32 = 0x6375_6F74     // "touc"
    static let delete: UInt32 = 0x656C_6564    // "dele"
    static let noop: UInt32 = 0x0A0D_6E6D      // "mn\r\n"
    static let ace: UInt32 = 0x2065_6361       // "ace "
    static let end: UInt32 = 0x2064_6E65       // "end "
    static let uch: UInt32 = 0x2068_6375       // "uch "
    static let ete: UInt32 = 0x2065_7465       // "ete "
    static let nor: UInt32 = 0x726F_6E20       // " nor"
    static let eply: UInt32 = 0x796C_7065      // "eply"
    // Two letters and a blank.
    static let mg: UInt32 = 0x20_676D
    static let ms: UInt32 = 0x20_736D
    static let md: UInt32 = 0x20_646D
    static let ma: UInt32 = 0x20_616D
    static let me: UInt32 = 0x20_656D
}

/// A whole command line: its text and where the next one begins.
struct Line {
    var start: Int
    var end: Int
    var next: Int
}

extension WorkerContext {
    /// A line may be this long before its `\n` is seen; only get and gets go beyond.
    static let longestLine = 2048
    static let longestKey = 250

    /// Fills the batch from `turn.position` on; returns how many operations there are. `turn.stop` says what
    /// ended it.
    mutating func parse(_ input: Span<UInt8>, _ turn: inout Turn) -> Int {
        var count = 0
        if turn.run.isActive, !parseKeys(input, &turn, &count, lineStart: -1) { return count }
        let showsLines = observers & EventKind.rawcmds.rawValue != 0
        // Each request with its reply, when both are shown.
        let limit = observers & EventKind.replies.rawValue != 0 ? 1 : Self.batchSize
        while count < limit {
            guard turn.position < input.count else {
                turn.stop = .needInput
                return count
            }
            guard turn.requestsLeft > 0 else {
                turn.stop = .turnOver
                return count
            }
            let start = turn.position
            let goesOn = parseRequest(input, &turn, &count)
            if showsLines, turn.position > start { observeLine(input, from: start, to: turn.position) }
            if !goesOn { return count }
        }
        turn.stop = .batchFull
        return count
    }

    /// One request from `turn.position` on; false when the round ends with it.
    @inline(__always)
    private mutating func parseRequest(_ input: Span<UInt8>, _ turn: inout Turn, _ count: inout Int) -> Bool {
        let start = turn.position
        let word = Bytes.word32(in: input, at: start)
        switch word {
        case Verb.get:
            return parseGet(input, &turn, &count, verbLength: 4, [])
        case Verb.set:
            return parseStorage(input, &turn, &count, verbLength: 4, .set)
        case Verb.gets where byte(input, start + 4) == 0x20:
            return parseGet(input, &turn, &count, verbLength: 5, .withCAS)
        default:
            switch word & 0xFF_FFFF {
            case Verb.mg: return parseMeta(input, &turn, &count, .metaGet)
            case Verb.ms: return parseMetaSet(input, &turn, &count)
            case Verb.md: return parseMeta(input, &turn, &count, .metaDelete)
            case Verb.ma: return parseMeta(input, &turn, &count, .metaArithmetic)
            case Verb.me: return parseMeta(input, &turn, &count, .metaDebug)
            default: return parseLessCommon(input, &turn, &count, word)
            }
        }
    }

    @inline(never)
    private mutating func parseLessCommon(
        _ input: Span<UInt8>, _ turn: inout Turn, _ count: inout Int, _ word: UInt32
    ) -> Bool {
        let start = turn.position
        switch word {
        case Verb.add: return parseStorage(input, &turn, &count, verbLength: 4, .add)
        case Verb.cas: return parseStorage(input, &turn, &count, verbLength: 4, .set, comparesCAS: true)
        case Verb.replace where word32(input, start + 4) == Verb.ace:
            return parseStorage(input, &turn, &count, verbLength: 8, .replace)
        case Verb.append where word32(input, start + 3) == Verb.end:
            return parseStorage(input, &turn, &count, verbLength: 7, .append)
        case Verb.prepend where word32(input, start + 4) == Verb.end:
            return parseStorage(input, &turn, &count, verbLength: 8, .prepend)
        case Verb.incr where byte(input, start + 4) == 0x20:
            return parseArithmetic(input, &turn, &count, [])
        case Verb.decr where byte(input, start + 4) == 0x20:
            return parseArithmetic(input, &turn, &count, .decrement)
        case Verb.touch where word32(input, start + 2) == Verb.uch:
            return parseTouch(input, &turn, &count)
        case Verb.delete where word32(input, start + 3) == Verb.ete:
            return parseDelete(input, &turn, &count)
        case Verb.gat:
            return parseGetAndTouch(input, &turn, &count, verbLength: 4, .touches)
        case Verb.gats where byte(input, start + 4) == 0x20:
            return parseGetAndTouch(input, &turn, &count, verbLength: 5, [.touches, .withCAS])
        case Verb.noop:
            var operation = Operation()
            operation.kind = .metaNoop
            operation.end = UInt32(truncatingIfNeeded: start + 4)
            turn.position = start + 4
            turn.requestsLeft -= 1
            batch[count] = operation
            count += 1
            return true
        default: return parseRareLine(input, &turn, &count)
        }
    }

    /// A line that is none of the above: a rare command, or one of the above with too few words.
    private mutating func parseRareLine(
        _ input: Span<UInt8>, _ turn: inout Turn, _ count: inout Int
    ) -> Bool {
        // The mark of the binary protocol, which some clients try first: they must fail fast.
        if input[turn.position] == 0x80 {
            turn.stop = .close
            return false
        }
        guard let line = nextLine(input, &turn) else { return false }
        let verb = line.start..<Bytes.wordEnd(in: input, from: line.start, to: line.end)
        if line.next - line.start < 4 || Self.needsWords(input, verb) {
            return refuse(.badLine, line, &turn, &count)
        }
        var operation = Operation()
        operation.keyStart = UInt32(truncatingIfNeeded: line.start)
        operation.keyEnd = UInt32(truncatingIfNeeded: line.end)
        operation.kind = .command
        operation.end = UInt32(truncatingIfNeeded: line.next)
        batch[count] = operation
        count += 1
        turn.stop = .command
        return false
    }

    /// Whether the word is a command that can't stand alone.
    private static func needsWords(_ input: Span<UInt8>, _ verb: Range<Int>) -> Bool {
        let commands: InlineArray<20, StaticString> = [
            "get", "gets", "gat", "gats", "set", "add", "replace", "append", "prepend", "cas", "incr", "decr",
            "touch",
            "delete", "mg", "ms", "md", "ma", "me", "me",
        ]
        for i in commands.indices where input.spells(verb, commands[i]) { return true }
        return false
    }

    /// The line at `turn.position`, counted as a request; nil if its end hasn't come yet, or never will.
    @inline(__always)
    mutating func nextLine(_ input: Span<UInt8>, _ turn: inout Turn) -> Line? {
        let start = turn.position
        guard let newline = Bytes.newline(in: input, from: start) else {
            turn.stop = input.count &- start > Self.longestLine ? .close : .needInput
            return nil
        }
        turn.position = newline &+ 1
        turn.requestsLeft &-= 1
        let hasCR = newline > start && input[newline &- 1] == 0x0D
        return Line(start: start, end: hasCR ? newline &- 1 : newline, next: newline &+ 1)
    }

    /// Answers a line with a fixed text.
    mutating func refuse(
        _ refusal: Refusal, _ line: Line, isQuiet: Bool = false, swallow: Int = 0, inputCount: Int = 0,
        _ turn: inout Turn, _ count: inout Int
    ) -> Bool {
        var operation = Operation()
        operation.kind = .refusal
        operation.refusal = refusal
        if isQuiet { operation.bits = .quiet }
        let here = min(swallow, max(inputCount - line.next, 0))
        turn.position = line.next + here
        operation.number = UInt64(swallow - here)
        operation.end = UInt32(truncatingIfNeeded: turn.position)
        batch[count] = operation
        count += 1
        if operation.number == 0 { return true }
        turn.stop = .alone
        return false
    }

    /// The byte at `offset`; 0 past the end.
    @inline(__always)
    func byte(_ input: Span<UInt8>, _ offset: Int) -> UInt8 { offset < input.count ? input[offset] : 0 }

    /// The four bytes at `offset`; bytes past the end read as 0.
    @inline(__always)
    func word32(_ input: Span<UInt8>, _ offset: Int) -> UInt32 {
        offset < input.count ? Bytes.word32(in: input, at: offset) : 0
    }
}
