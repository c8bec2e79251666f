// Passwords (`-Y`): who is let in, by which doors, how fast one may guess, and where a password must not be
// found afterwards.
import Foundation
import Testing

@testable import LarderServer

/// `set` with "user password" as its value.
private func login(_ user: String, _ password: String) -> String {
    "set auth 0 0 \(user.utf8.count + 1 + password.utf8.count)\r\n\(user) \(password)\r\n"
}

private let failure = "CLIENT_ERROR authentication failure\r\n"
private let stranger = "CLIENT_ERROR unauthenticated\r\n"

private func passwordFile(_ folder: TemporaryFolder, _ text: String) throws -> String {
    let path = folder.path("users")
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    chmod(path, 0o640)
    return path
}

private func guarded(
    _ text: String = "ann:one\nbob:two words: and a colon\r\n", options: [String] = []
) throws -> Daemon {
    let folder = try TemporaryFolder()
    let path = try passwordFile(folder, text)
    return try Daemon(["-Y", path] + options, folder: folder)
}

@Suite struct LoginTests {
    @Test func whoIsLetIn() throws {
        let daemon = try guarded()
        let wire = try daemon.connect()
        // Every command is refused, of both protocols, and those that operators use.
        for command in [
            "get a", "gets a b", "gat 0 a", "delete a", "incr a 1", "touch a 0", "mg a v", "ms a S1",
            "md a", "ma a", "mn", "me a", "stats", "stats settings", "version", "verbosity 1", "flush_all",
            "watch", "shutdown", "lru_crawler metadump all", "cache_memlimit 100", "refresh_certs",
            "nonsense",
        ] {
            let short = command.utf8.count < 5
            let answer = try daemon.connect()
            if short {
                // memcached hangs up on lines no login can be
                try answer.send(command + "\r\n")
                #expect(try answer.isClosed(), "\(command)")
            } else {
                try answer.ask(command + "\r\n", stranger)
            }
        }
        try wire.ask(login("ann", "wrong"), failure)
        try wire.ask(login("ann", ""), failure)
        try wire.ask(login("ann", "one "), failure)
        try wire.ask(login("bob", "one"), failure)
        try wire.ask("set a 0 0 3\r\nann\r\n", "CLIENT_ERROR bad authentication token format\r\n")
        try wire.ask("set a 0 0 7\r\nann oneX\n", "CLIENT_ERROR bad command line termination\r\n")
        try wire.ask("set a 0 0 2147483646\r\n", "CLIENT_ERROR auth token too long\r\n")
        try wire.ask(login("ann", "one"), "STORED\r\n")
        // From here on a set is a set.
        try wire.ask(login("ann", "one") + "get auth\r\n", "STORED\r\nVALUE auth 0 7\r\nann one\r\nEND\r\n")
        try wire.ask("mg auth v\r\n", "VA 7\r\nann one\r\n")
        let bob = try daemon.connect()
        try bob.ask(
            login("bob", "two words: and a colon") + "get auth\r\n",
            "STORED\r\nVALUE auth 0 7\r\nann one\r\nEND\r\n")
        let stats = try bob.stats()
        #expect(stats["auth_cmds"] == "6" && stats["auth_errors"] == "4")
        let settings = try bob.stats("settings")
        #expect(settings["auth_enabled_ascii"] == daemon.folder.path("users"))
        #expect(settings["auth_enabled_sasl"] == "no")
        try daemon.stop()
    }

    @Test func unixSocketsAskToo() throws {
        let folder = try TemporaryFolder()
        let socket = folder.path("socket")
        let users = try passwordFile(folder, "ann:one")
        let daemon = try Daemon(
            ["-s", socket, "-Y", users], folder: folder, picksPort: false, waitsForPorts: false)
        try wait(for: "the socket") { access(socket, F_OK) == 0 && (try? Wire.unix(socket)) != nil }
        let wire = try Wire.unix(socket)
        try wire.ask("get a\r\n" + login("ann", "one") + "get a\r\n", stranger + "STORED\r\nEND\r\n")
        try daemon.stop()
    }

    @Test func udpIsRefused() throws {
        let folder = try TemporaryFolder()
        let users = try passwordFile(folder, "ann:one")
        let user = Surroundings.runsAsRoot ? ["-u", "root"] : []
        let said = try ChildProcess.run(Surroundings.daemon, user + ["-p", "-1", "-U", "-1", "-Y", users])
        #expect(said.ending == .exited(64) && said.errors.contains("UDP"), "\(said.errors)")
    }

    @Test(arguments: [
        ("", "names no user"), ("\n\n", "names no user"), ("ann:one\nbob\n", "line 2: must be user:password"),
        (":one", "line 1: the user or the password is empty"), ("ann:", "empty"), ("a b:c", "blank"),
        ("a\0:c", "zero byte"), (String(repeating: "x", count: 256) + ":y", "at most 255"),
        ("x:" + String(repeating: "y", count: 256), "at most 255"),
        (String(repeating: "a:b\n", count: 65), "line 65: more than 64"),
    ])
    func badFilesAreRefused(_ text: String, _ reason: String) throws { try isRefused(text, reason) }

    /// On its own: the name of a test shows its arguments.
    @Test func aFileThatIsFarTooLongIsRefused() throws {
        try isRefused(String(repeating: "\n", count: 60000), "longer than")
    }

    private func isRefused(_ text: String, _ reason: String) throws {
        let folder = try TemporaryFolder()
        let path = try passwordFile(folder, text)
        #expect { _ = try PasswordTable(path: path) } throws: { error in
            guard let failure = error as? StartFailure else { return false }
            return failure.exitCode == 64 && failure.message.contains(reason)
                && failure.message.contains(path)
        }
    }

    @Test func filesThatCannotBeReadAreRefused() throws {
        let folder = try TemporaryFolder()
        for path in ["/nonexistent", folder.root, "/dev/null"] {
            #expect(throws: StartFailure.self) { _ = try PasswordTable(path: path) }
        }
    }

    @Test func longestAndMost() throws {
        let folder = try TemporaryFolder()
        let long = String(repeating: "x", count: 255)
        let lines = (1...63).map { "user\($0):secret\($0)" } + ["\(long):\(long)"]
        let table = try PasswordTable(path: passwordFile(folder, lines.joined(separator: "\n")))
        func has(_ user: String, _ password: String) -> Bool {
            table.has(user: Array(user.utf8).span, password: Array(password.utf8).span)
        }
        #expect(table.count == 64 && !table.isOpenToAll)
        for i in 1...63 {
            #expect(has("user\(i)", "secret\(i)") && !has("user\(i)", "secret\(i % 63 + 1)"))
        }
        #expect(has(long, long) && !has(long + "x", long) && !has(long, long + "x") && !has("", ""))
        #expect(!has("user1", "secret1\0") && !has("user1:secret1", "") && !has("user1", ""))
    }

    // MARK: reload

    @Test func readsTheFileAgain() throws {
        let daemon = try guarded("ann:one")
        let old = try daemon.connect()
        try old.ask(login("ann", "one"), "STORED\r\n")
        func reload(_ text: String, expecting line: String) throws {
            _ = try passwordFile(daemon.folder, text)
            if Surroundings.runsAsRoot { chmod(daemon.folder.path("users"), 0o644) }
            let before = daemon.process.errors.components(separatedBy: line).count
            daemon.process.signal(SIGHUP)
            try wait(for: line) { daemon.process.errors.components(separatedBy: line).count > before }
        }
        try reload("bob:two\ncid:three", expecting: "2 entries, before it 1")
        try daemon.connect().ask(login("ann", "one"), failure)
        try daemon.connect().ask(login("bob", "two"), "STORED\r\n")
        // A bad file changes nothing.
        try reload("bob\n", expecting: "the old stays in use")
        try reload("", expecting: "names no user")
        unlink(daemon.folder.path("users"))
        daemon.process.signal(SIGHUP)
        try wait(for: "the refusal") { daemon.process.errors.contains("cannot open") }
        try daemon.connect().ask(login("cid", "three"), "STORED\r\n")
        // Who is in stays in.
        try old.ask("get a\r\n", "END\r\n")
        #expect(!daemon.process.errors.contains("three"))
        try daemon.stop()
    }
}
