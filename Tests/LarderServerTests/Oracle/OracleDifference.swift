// The differences between memcached 1.6.18 and Larder that are meant: where later memcached answers better,
// Larder follows it. One row each, with the reason, how a command is recognised, and what Larder must answer.
import Foundation
import Testing

struct OracleDifference: Sendable {
    let name: String
    /// True for commands of this row.
    let covers: @Sendable (OracleCommand) -> Bool
    /// What Larder must answer; nil where that depends on more than the command.
    let larder: @Sendable (OracleCommand) -> String?
    /// Whether a 1.6.45 oracle answers as Larder does.
    var agreesWithModern = true

    /// What is expected of Larder, given what the oracle said. Nil: anything.
    func answer(_ command: OracleCommand, oracle: [UInt8]) -> [UInt8]? {
        if Surroundings.oracleIsModern && agreesWithModern { return oracle }
        return larder(command).map { Array($0.utf8) }
    }

    static func of(_ command: OracleCommand) -> OracleDifference? { rows.first { $0.covers(command) } }

    static let format = "CLIENT_ERROR bad command line format\r\n"

    static let rows: [OracleDifference] = [
        OracleDifference(
            name: "a number with a plus sign is no number",
            covers: { command in
                let first = ["gat", "gats", "verbosity"].contains(command.verb) ? 1 : 2
                return command.words.dropFirst(first).contains { $0.hasPrefix("+") }
            },
            larder: { _ in nil }),
        OracleDifference(
            name: "a blank before the command is an empty command word",
            covers: { !$0.lead.isEmpty }, larder: { $0.verb == "get" ? "ERROR\r\n" : nil }),
        OracleDifference(
            name: "lines shorter than any command",
            covers: { $0.bytes(cas: "").firstIndex(of: 10) ?? 0 < 3 }, larder: { _ in format }),
        OracleDifference(
            name: "too few words",
            covers: { tooFew($0) }, larder: { _ in format }),
        OracleDifference(
            name: "a storage line with a readable length and another fault swallows its value",
            covers: { ($0.isStorage || $0.verb == "ms") && $0.data != nil && badStorageLine($0) },
            larder: { $0.words.last == "noreply" ? "" : format }),
        OracleDifference(
            name: "delete takes and ignores further words",
            covers: { $0.verb == "delete" && !plainDelete($0) }, larder: { _ in nil }),
        OracleDifference(
            name: "verbosity wants a number",
            covers: { $0.verb == "verbosity" && UInt32($0.words.dropFirst().first ?? "") == nil },
            larder: { _ in nil }),
        OracleDifference(
            name: "a bad data chunk of ms is answered",
            covers: { $0.verb == "ms" && $0.dataEnd != "\r\n" }, larder: { _ in nil }),
        OracleDifference(
            name: "meta flags that don't exist, come twice, or have a bad mode are named more exactly",
            covers: { $0.isMeta && badMetaFlags($0) }, larder: { _ in nil }),
        OracleDifference(
            name: "a ma that makes its item obeys q",
            covers: { $0.verb == "ma" && $0.words.contains("q") && $0.words.contains { $0.hasPrefix("N") } },
            larder: { _ in nil }),
        OracleDifference(
            name: "flags that came after 1.6.18",
            covers: { $0.isMeta && laterFlags($0) }, larder: { _ in nil }),
        OracleDifference(
            name: "a get that names a key too long is answered by one error and nothing else",
            covers: {
                ["get", "gets", "gat", "gats"].contains($0.verb) && $0.words.contains { $0.utf8.count > 250 }
            },
            larder: { _ in nil }, agreesWithModern: false),
        OracleDifference(
            name: "md and ma name a bad key or a bad token differently",
            covers: { ["md", "ma"].contains($0.verb) && oddKeyOrToken($0) }, larder: { _ in nil }),
        OracleDifference(
            name: "shutdown that isn't enabled",
            covers: { $0.verb == "shutdown" }, larder: { _ in "SERVER_ERROR: shutdown not enabled\r\n" }),
    ]

    // MARK: recognising

    private static func tooFew(_ command: OracleCommand) -> Bool {
        let least = [
            "get": 2, "gets": 2, "gat": 3, "gats": 3, "touch": 3, "delete": 2, "incr": 3, "decr": 3,
            "set": 5, "add": 5, "replace": 5, "append": 5, "prepend": 5, "cas": 6, "verbosity": 2,
            "mg": 2, "ms": 3, "md": 2, "ma": 2, "me": 2,
        ]
        return command.words.count < least[command.verb] ?? 0
    }

    static func badStorageLine(_ command: OracleCommand) -> Bool {
        if tooFew(command) { return true }
        let words = command.words
        if words[1].utf8.count > 250 { return command.verb != "ms" || !badMetaFlags(command) }
        if command.verb == "ms" { return false }
        if UInt64(words[2]) == nil || Int32(words[3]) == nil { return true }
        return words[0] == "cas" && UInt64(words[5]) == nil && words[5] != OracleCommand.casPlaceholder
    }

    static func badMetaFlags(_ command: OracleCommand) -> Bool {
        let first = command.verb == "ms" ? 3 : 2
        let flags = command.words.dropFirst(first).map { $0.first ?? " " }
        if Set(flags).count != flags.count { return true }
        if flags.contains(where: { !$0.isASCII || !($0.isLetter || $0.isNumber) }) { return true }
        let modes = ["I", "i", "+", "D", "d", "-"].map { "M" + $0 }
        let words = command.words.dropFirst(first)
        if command.verb == "md" || command.verb == "ma", !flags.allSatisfy({ "bcCDIJkMNOqtTv".contains($0) })
        {
            return true
        }
        return words.contains("M")
            || command.verb == "ma" && words.contains { $0.hasPrefix("M") && !modes.contains($0) }
    }

    private static func oddKeyOrToken(_ command: OracleCommand) -> Bool {
        let key = command.words[1]
        return key.utf8.count > 250
            || command.words.dropFirst(2).contains { word in
                word == "b" && !OracleGenerator.encodedKeys.contains(key)
                    || "CDJNT".contains(word.first ?? " ") && UInt64(word.dropFirst()) == nil
                        && Int64(word.dropFirst()) == nil
            }
    }

    private static func laterFlags(_ command: OracleCommand) -> Bool {
        let later = ["mg": "EC", "ms": "EsN", "md": "Ex", "ma": "E"][command.verb] ?? ""
        return command.words.dropFirst(2).contains {
            $0.first.map { "x" == $0 || later.contains($0) } ?? false
        }
    }

    private static func plainDelete(_ command: OracleCommand) -> Bool {
        let rest = Array(command.words.dropFirst(2))
        return rest.isEmpty || rest == ["0"] || rest == ["noreply"] || rest == ["0", "noreply"]
    }

    // MARK: examples

    struct Example: Sendable, CustomTestStringConvertible {
        let name: String
        var before = ""
        let sent: String
        let larder: String
        var testDescription: String { name }
    }

    static let examples: [Example] = [
        Example(name: "get without a key", sent: "get\r\n", larder: format),
        Example(name: "gat without a key", sent: "gat 10\r\n", larder: format),
        Example(name: "an empty line", sent: "\r\n", larder: format),
        Example(name: "a blank first", sent: " mn\r\n", larder: "ERROR\r\n"),
        Example(name: "bad flags", sent: "set k x 0 4\r\nquit\r\nmn\r\n", larder: format + "MN\r\n"),
        Example(name: "bad exptime", sent: "set k 0 x 4\r\nquit\r\nmn\r\n", larder: format + "MN\r\n"),
        Example(name: "bad cas", sent: "cas k 0 0 4 x\r\nquit\r\nmn\r\n", larder: format + "MN\r\n"),
        Example(name: "no cas", sent: "cas k 0 0 4\r\nquit\r\nmn\r\n", larder: format + "MN\r\n"),
        Example(
            name: "a long key", sent: "set \(OracleGenerator.tooLong) 0 0 4\r\nquit\r\nmn\r\n",
            larder: format + "MN\r\n"),
        Example(
            name: "a long key in ms", sent: "ms \(OracleGenerator.tooLong) 4\r\nquit\r\nmn\r\n",
            larder: format + "MN\r\n"),
        Example(
            name: "ms with a bad data chunk", sent: "ms k 2\r\nabcdmn\r\n",
            larder: "CLIENT_ERROR bad data chunk\r\nMN\r\n"),
        Example(
            name: "a get with a long key: one error, nothing more",
            sent: "mn\r\nget \(OracleGenerator.tooLong)\r\nmn\r\n", larder: "MN\r\n" + format + "MN\r\n"),
        Example(
            name: "delete with further words", before: "set k 0 0 1 noreply\r\nx\r\n",
            sent: "delete k 1\r\ndelete k abc\r\n", larder: "DELETED\r\nNOT_FOUND\r\n"),
        Example(name: "verbosity out of range", sent: "verbosity 99999999999\r\n", larder: format),
        Example(name: "ms tells the size", sent: "ms k 2 s\r\nab\r\n", larder: "HD s2\r\n"),
        Example(
            name: "a chosen cas", sent: "ms k 2 E99\r\nab\r\nmg k c\r\nma k E5\r\n",
            larder: "HD\r\nHD c99\r\nCLIENT_ERROR cannot increment or decrement non-numeric value\r\n"),
        Example(
            name: "md x", before: "set k 7 0 2 noreply\r\nab\r\n", sent: "md k x\r\nmg k v f\r\n",
            larder: "HD\r\nVA 0 f0\r\n\r\n"),
        Example(
            name: "vivify by append", sent: "ms k 2 MA\r\nab\r\nms k 2 MA N60\r\nab\r\nmg k v t\r\n",
            larder: "NS\r\nHD\r\nVA 2 t60\r\nab\r\n"),
        Example(name: "ma vivifies quietly", sent: "ma n N60 q\r\nmn\r\n", larder: "MN\r\n"),
        Example(
            name: "flag errors by name", sent: "md k q q\r\nma k q q\r\nmd k %\r\nmg k %\r\nmg k Y\r\n",
            larder: "CLIENT_ERROR duplicate flag\r\nCLIENT_ERROR invalid or duplicate flag\r\n"
                + format + format + "CLIENT_ERROR invalid flag\r\n"),
        Example(
            name: "numbers of 2^63 and more", before: "set n 0 0 20 noreply\r\n18446744073709551610\r\n",
            sent: "incr n 3\r\ndecr n 1\r\n", larder: "18446744073709551613\r\n18446744073709551612\r\n"),
    ]
}
