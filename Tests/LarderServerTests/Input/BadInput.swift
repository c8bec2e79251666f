// Bytes no client should send, and what plays them to a daemon: each row says what is sent, how the client
// goes away, and, where there is only one right answer, that answer.
import Foundation
import Testing

struct BadInput: Sendable {
    enum Ending: String, Sendable, CaseIterable {
        /// Stops sending and reads what comes until the daemon closes.
        case finish
        /// Goes away without a word, without having read.
        case close
        /// Goes away with a reset.
        case reset
    }

    let name: String
    let bytes: [UInt8]
    var ending = Ending.finish
    /// Each byte in a packet of its own.
    var inCrumbs = false
    /// The whole answer, where it is known to the byte; only with `finish`.
    var answer: String?

    init(
        _ name: String, _ bytes: [UInt8], _ ending: Ending = .finish, inCrumbs: Bool = false,
        answer: String? = nil
    ) {
        self.name = name
        self.bytes = bytes
        self.ending = ending
        self.inCrumbs = inCrumbs
        self.answer = answer
    }

    init(
        _ name: String, _ text: String, _ ending: Ending = .finish, inCrumbs: Bool = false,
        answer: String? = nil
    ) {
        self.init(name, Array(text.utf8), ending, inCrumbs: inCrumbs, answer: answer)
    }

    /// The first bytes, for a message.
    var sample: String { printable(bytes.prefix(120)) + (bytes.count > 120 ? " …" : "") }

    /// What is wrong with what the daemon made of it; nil if nothing is.
    func play(on daemon: Daemon) throws -> String? {
        let wire = try daemon.connect()
        do {
            if inCrumbs {
                for byte in bytes { try wire.send([byte]) }
            } else {
                try wire.send(bytes)
            }
        } catch let trouble as Trouble {
            // That it closes is its right; that it takes no more without closing is not.
            if trouble.description.contains("then no more") { throw trouble }
        }
        switch ending {
        case .close: wire.close()
        case .reset: wire.reset()
        case .finish:
            wire.finishSending()
            let got = try wire.rest()
            if let answer, got != Array(answer.utf8) {
                return "answered by \(printable(got.prefix(300))), not \(printable(answer.utf8))"
            }
            if let last = got.last, last != 10 { return "half a line: \(printable(got.suffix(100)))" }
        }
        return nil
    }
}

/// Items that no bad input may touch, and the questions that show it.
struct Sentinels {
    private static let count = 24
    private static let longKey = "sentinel:" + String(repeating: "k", count: 241)

    private let lines: [UInt8]
    private let question: String
    private let answer: [UInt8]

    init() {
        var random = SeededRandom(seed: 1945)
        var lines: [UInt8] = []
        var answer: [UInt8] = []
        var keys: [String] = []
        for index in 0..<Self.count {
            let key = index == 0 ? Self.longKey : "sentinel:\(index)"
            let size = index == 7 ? 100_000 : index == 5 ? 20_000 : [0, 1, 90, 2000][index % 4]
            // Line ends and commands in the value: it is bytes like any other.
            let text = Array("\r\nEND\r\nflush_all\r\n".utf8)
            let value = (0..<size).map { $0 < text.count ? text[$0] : UInt8(random.below(256)) }
            lines += Array("set \(key) \(index) 0 \(size) noreply\r\n".utf8) + value + [13, 10]
            answer += Array("VALUE \(key) \(index) \(size)\r\n".utf8) + value + [13, 10]
            keys.append(key)
        }
        self.lines = lines
        self.answer = answer + Array("END\r\n".utf8)
        question = "get " + keys.joined(separator: " ") + "\r\n"
    }

    func store(_ wire: Wire) throws {
        try wire.send(lines)
        try wire.tell("")
    }

    /// Nil if all are there, byte for byte.
    func fault(_ wire: Wire) throws -> String? {
        try wire.send(question)
        let got = try wire.bytes(answer.count, upTo: 5)
        if memcmp(got, answer, answer.count) == 0 { return nil }
        let at = zip(got, answer).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? 0
        return
            "a sentinel is changed at byte \(at): \(printable(got[max(0, at - 20)..<got.count].prefix(80)))"
    }
}
