// What the running daemon writes to its log: one line at the start, the marks of time or of the journal, and
// at -vv each request with its reply.
import Foundation
import Testing

@Suite struct LogTests {
    /// The log's lines from `word` on, without the connection's number.
    private static func lines(of daemon: Daemon, from word: String) -> [String] {
        daemon.process.errors.split(separator: "\n").compactMap { line in
            guard let found = line.range(of: " \(word) ") else { return nil }
            let text = line[found.upperBound...]
            let arrow = text.prefix(1)
            return String(arrow + text.dropFirst().drop { $0.isNumber })
        }
    }

    @Test func theStartIsOneLine() throws {
        let daemon = try Daemon(["-m", "80", "-t", "2", "-c", "100"])
        try daemon.stop()
        let lines = daemon.process.errors.split(separator: "\n")
        #expect(lines.count == 1, "\(lines)")
        for part in ["listens on 127.0.0.1:\(daemon.port)", "memory 80 MiB", "2 threads", "100 connections"] {
            #expect(lines.first?.contains(part) == true, "\(lines): lacks \(part)")
        }
        #expect(lines.first?.firstMatch(of: #/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z notice /#) != nil)
    }

    /// The journal wants its priorities, and has the time itself. It is known by the file behind the stream.
    @Test func theJournalGetsPriorities() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("larder.err")
        #expect(FileManager.default.createFile(atPath: path, contents: nil))
        var status = stat()
        #expect(stat(path, &status) == 0)
        let stream = "\(status.st_dev):\(status.st_ino)"
        let daemon = try Daemon(folder: folder, environment: ["JOURNAL_STREAM": stream])
        try daemon.stop()
        #expect(daemon.process.errors.hasPrefix("<5>Larder "), "\(daemon.process.errors)")
    }

    /// In the order in which things happened, values left out, control characters made visible.
    @Test func requestsAndRepliesAreThereAtVV() throws {
        let daemon = try Daemon(["-vv"])
        let wire = try daemon.connect()
        let long = String(repeating: "v", count: 200_000)
        try wire.ask(
            "set a 0 0 6\r\nsecret\r\nget a \u{1}b\r\n", "STORED\r\nVALUE a 0 6\r\nsecret\r\nEND\r\n")
        try wire.ask(
            "set l 0 0 200000\r\n\(long)\r\nmg l s\r\nmg none v\r\n", "STORED\r\nHD s200000\r\nEN\r\n")
        try wire.ask("set q 0 0 1 noreply\r\nx\r\nget a \(String(repeating: "k", count: 251))\r\n",
            "CLIENT_ERROR bad command line format\r\n")
        try wire.send("quit\r\n")
        #expect(try wire.isClosed())
        // What has not been written yet is written at the end.
        try daemon.stop()
        var lines = Self.lines(of: daemon, from: "debug")
        lines.removeAll { $0.hasPrefix("< get a kkk") }
        #expect(lines == [
            "< new tcp client", "< set a 0 0 6", "> STORED", "< get a \\x01b", "> VALUE a 0 6", "> END",
            "< set l 0 0 200000", "> STORED", "< mg l s", "> HD s200000", "< mg none v", "> EN",
            "< set q 0 0 1 noreply", "> VALUE a 0 6", "> CLIENT_ERROR bad command line format", "< quit",
            "< closed (normal)",
        ])
        #expect(!daemon.process.errors.contains("secret") && !daemon.process.errors.contains("vvv"))
    }

    @Test func nothingOfARequestIsThereBefore() throws {
        let daemon = try Daemon(["-v"])
        let wire = try daemon.connect()
        try wire.ask("set a 0 0 1\r\nx\r\nget a\r\n", "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n")
        #expect(Self.lines(of: daemon, from: "debug").isEmpty)
        // The verbosity command turns it on, and off again.
        try wire.ask("verbosity 2\r\n", "OK\r\n")
        try wait(for: "requests in the log") {
            try wire.ask("mn\r\n", "MN\r\n")
            return Self.lines(of: daemon, from: "debug").contains("> MN")
        }
        try wire.ask("verbosity 1\r\n", "OK\r\n")
        try wait(for: "the log to be quiet") {
            let before = Self.lines(of: daemon, from: "debug").count
            for _ in 0..<50 { try wire.ask("mn\r\n", "MN\r\n") }
            usleep(50_000)
            return Self.lines(of: daemon, from: "debug").count == before
        }
        try daemon.stop()
    }

    /// A password is never in it, given well or badly.
    @Test func passwordsAreNotThere() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("users")
        try "ann:hunter2\n".write(toFile: path, atomically: true, encoding: .utf8)
        chmod(path, 0o640)
        let daemon = try Daemon(["-vv", "-Y", path], folder: folder)
        let wire = try daemon.connect()
        try wire.ask("set x 0 0 7\r\nhunter2\r\n", "CLIENT_ERROR bad authentication token format\r\n")
        try wire.ask("auth hunter2 now\r\n", "CLIENT_ERROR unauthenticated\r\n")
        try wire.ask("set x 0 0 11\r\nann hunter2\r\nmn\r\n", "STORED\r\nMN\r\n")
        try daemon.stop()
        let lines = Self.lines(of: daemon, from: "debug")
        #expect(lines.contains("> STORED") && lines.contains("< mn"), "\(lines)")
        #expect(!daemon.process.errors.contains("hunter2"), "\(lines)")
    }
}
