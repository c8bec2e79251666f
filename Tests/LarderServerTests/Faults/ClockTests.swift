// Time that behaves badly: a wall clock set forward and back, a process that was stopped for a while. What
// expires goes by a clock that does neither.
import Foundation
import Testing

@Suite struct ClockTests {
    /// libfaketime, told by a file how far the wall clock is off.
    private struct WallClock {
        let file: String
        let environment: [String: String]

        init(_ folder: TemporaryFolder) throws {
            let places = [
                "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/local/lib",
            ]
            let library = places.map { $0 + "/faketime/libfaketimeMT.so.1" }
                .first { FileManager.default.fileExists(atPath: $0) }
            try Surroundings.require(library != nil, "libfaketime")
            file = folder.path("clock")
            environment = [
                "LD_PRELOAD": library!, "FAKETIME_TIMESTAMP_FILE": file, "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            ]
            try set(0)
        }

        func set(_ seconds: Int) throws {
            try "\(seconds < 0 ? "" : "+")\(seconds)s".write(toFile: file, atomically: true, encoding: .utf8)
        }
    }

    private func isThere(_ wire: Wire, _ key: String) throws -> Bool {
        try wire.send("mg \(key)\r\n")
        return try wire.line() == "HD"
    }

    /// Seconds until the key is gone.
    private func life(_ wire: Wire, _ key: String, since start: Double) throws -> Double {
        try wait(upTo: 12, for: "\(key) to expire") { try !isThere(wire, key) }
        return Clock.now - start
    }

    @Test func stepsOfTheWallClock() throws {
        if Surroundings.sanitizer != nil { return }
        let folder = try TemporaryFolder()
        let clock = try WallClock(folder)
        // libfaketime sets a variable in the first process it is in; Swift looks for the arguments in front
        // of the environment, which has moved then. So the first process is a shell.
        let script = folder.path("start")
        try "#!/bin/sh\nexec \(Surroundings.daemon) \"$@\"\n".write(
            toFile: script, atomically: true, encoding: .utf8)
        chmod(script, 0o755)
        let daemon = try Daemon(
            ["-o", "no_drop_privileges"], program: script, folder: folder, environment: clock.environment)
        let wire = try daemon.connect()
        let start = Clock.now
        let now = Clock.unixTime
        try wire.ask("set relative 0 5 1\r\nx\r\n", "STORED\r\n")
        try wire.ask("set absolute 0 \(now + 6) 1\r\nx\r\n", "STORED\r\n")
        try wire.ask("set long 0 2592000 1\r\nx\r\n", "STORED\r\n")
        try wire.ask("set never 0 0 1\r\nx\r\n", "STORED\r\n")
        // A year forward: nothing that is stored expires by it, and new absolute times go by the new clock.
        let year = 365 * 86400
        try clock.set(year)
        try wait(for: "the daemon to see the step") {
            Int(try wire.stats()["time"] ?? "") ?? 0 > now + year - 5
        }
        Clock.pass(0.3)
        for key in ["relative", "absolute", "long", "never"] { #expect(try isThere(wire, key), "\(key)") }
        let afterStep = Clock.now
        try wire.ask("set new 0 \(Clock.unixTime + year + 3) 1\r\nx\r\n", "STORED\r\n")
        try wire.ask("set old 0 \(Clock.unixTime + 100) 1\r\nx\r\n", "STORED\r\n")
        #expect(try !isThere(wire, "old"))
        // Ten years back.
        try clock.set(-10 * year)
        try wait(for: "the daemon to see the step") { Int(try wire.stats()["time"] ?? "") ?? 0 < now }
        Clock.pass(0.3)
        try wire.ask("set before 0 \(Clock.unixTime - 10 * year + 5) 1\r\nx\r\n", "STORED\r\n")
        #expect(try isThere(wire, "before"))
        let newLife = try life(wire, "new", since: afterStep)
        let relative = try life(wire, "relative", since: start)
        let absolute = try life(wire, "absolute", since: start)
        #expect(newLife > 1.5 && newLife < 4.5, "\(newLife) s instead of 3")
        #expect(relative > 3.9 && relative < 5.5, "\(relative) s instead of 5")
        #expect(absolute > 4.9 && absolute < 7.5, "\(absolute) s instead of 6")
        for key in ["long", "never"] { #expect(try isThere(wire, key), "\(key)") }
        try daemon.stop()
    }

    /// Expiry is right within a second.
    @Test func expiryWithinASecond() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            for (offset, seconds) in [(0.0, 1), (0.25, 2), (0.5, 1), (0.75, 2)] {
                Clock.pass(offset)
                let start = Clock.now
                try wire.ask("set t 0 \(seconds) 1\r\nx\r\n", "STORED\r\n")
                let lived = try life(wire, "t", since: start)
                #expect(lived > Double(seconds) - 1.05 && lived < Double(seconds) + 0.5, "\(lived)")
            }
        }
    }

    /// Stopped and continued: what was asked meanwhile is answered, what was due meanwhile is gone.
    @Test func stoppedAndContinued() throws {
        try withDaemon("-o", "idle_timeout=1000") { daemon in
            let wire = try daemon.connect()
            try wire.ask("set short 0 2 1\r\nx\r\nset long 0 100 1\r\nx\r\n", "STORED\r\nSTORED\r\n")
            daemon.process.signal(SIGSTOP)
            let waiting = try daemon.connect()
            try waiting.send("get long\r\nmn\r\n")
            Clock.pass(3)
            daemon.process.signal(SIGCONT)
            try waiting.expect("VALUE long 0 1\r\nx\r\nEND\r\nMN\r\n")
            try wait(upTo: 1, for: "what was due to be gone") { try !isThere(wire, "short") }
            #expect(try isThere(wire, "long"))
        }
    }
}
