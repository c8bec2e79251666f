// Guessing passwords: how many tries a second are heard, that the right password is never the one to wait,
// and that no password is left lying about.
import Foundation
import Testing

@testable import LarderServer

private func login(_ user: String, _ password: String) -> String {
    "set auth 0 0 \(user.utf8.count + 1 + password.utf8.count)\r\n\(user) \(password)\r\n"
}

private let failure = "CLIENT_ERROR authentication failure\r\n"

private func guarded(_ options: [String] = []) throws -> Daemon {
    let folder = try TemporaryFolder()
    let path = folder.path("users")
    try "ann:one\n".write(toFile: path, atomically: true, encoding: .utf8)
    chmod(path, 0o644)
    return try Daemon(["-Y", path] + options, folder: folder)
}

@Suite struct LoginThrottleTests {
    private let here = PeerGroup(family: 2, bits: 1)
    private let there = PeerGroup(family: 2, bits: 2)

    @Test func aFewAreFree() {
        var throttle = LoginThrottle()
        let waits = (0..<8).map { _ in throttle.note(here, now: 1_000_000) }
        #expect(waits == [0, 0, 0, 0, 0, 50_000, 100_000, 150_000])
        #expect(throttle.note(there, now: 1_000_000) == 0)
        // Time pays.
        #expect(throttle.note(here, now: 60_000_000) == 0)
    }

    /// Whoever abandons a connection as soon as it is not let in at once gains nothing: tries are counted
    /// when they are compared, not when they are answered.
    @Test(arguments: [false, true]) func heardTriesAreBounded(_ hasWaited: Bool) {
        var throttle = LoginThrottle()
        var heard = [Int](repeating: 0, count: 10)
        for microsecond in stride(from: UInt64(5_000_000), to: 15_000_000, by: 100) {
            guard throttle.wait(here, hasWaited: hasWaited, now: microsecond) == nil else { continue }
            _ = throttle.note(here, now: microsecond)
            heard[Int(microsecond / 1_000_000) - 5] += 1
        }
        #expect(heard[0] < 100 && heard[1...].allSatisfy { $0 <= 21 }, "\(heard)")
    }

    @Test func thoseWhoWaitedComeBeforeNewcomers() {
        var throttle = LoginThrottle()
        let now: UInt64 = 9_000_000
        while throttle.wait(here, hasWaited: false, now: now) == nil { _ = throttle.note(here, now: now) }
        #expect(throttle.wait(here, hasWaited: true, now: now) == nil)
        #expect(throttle.wait(there, hasWaited: false, now: now) == nil)
    }

    /// However many addresses guess: one that doesn't is heard, and the table has a fixed size.
    @Test func manyAddresses() {
        var throttle = LoginThrottle()
        for bits in 100..<UInt64(200_000) {
            _ = throttle.note(PeerGroup(family: 2, bits: bits), now: 5_000_000)
        }
        for bits in 0..<UInt64(100) {
            let address = PeerGroup(family: 2, bits: bits)
            #expect(throttle.wait(address, hasWaited: false, now: 5_000_001) == nil)
        }
    }

    @Test func addresses() throws {
        func group(_ text: String) throws -> PeerGroup {
            var hints = addrinfo()
            hints.ai_flags = AI_NUMERICHOST
            var found: UnsafeMutablePointer<addrinfo>?
            try #require(getaddrinfo(text, "1", &hints, &found) == 0)
            defer { freeaddrinfo(found) }
            return PeerGroup(found!.pointee.ai_addr)
        }
        #expect(try group("10.0.0.1") != group("10.0.0.2"))
        #expect(try group("10.0.0.1") == group("::ffff:10.0.0.1"))
        #expect(try group("2001:db8::1") == group("2001:db8::ffff:1:1"))
        #expect(try group("2001:db8::1") != group("2001:db8:0:1::1"))
        #expect(try group("::1") != group("127.0.0.1"))
    }
}

@Suite struct GuessingTests {
    /// Many tries in one piece, on many connections: what is answered in two seconds is little, and the
    /// right password is answered at once all the while, from the same address too.
    @Test func guessesAreSlowAndTheRightPasswordIsNot() throws {
        let daemon = try guarded()
        let guessers = try (0..<16).map { _ in try daemon.connect() }
        for (index, wire) in guessers.enumerated() {
            let tries = (0..<1000).map { login("ann", "guess\(index)x\($0)") }.joined()
            try wire.send(tries)
        }
        let start = Clock.now
        var slowest = 0.0
        while Clock.now - start < 2 {
            let began = Clock.now
            let wire = try daemon.connect()
            try wire.ask(login("ann", "one"), "STORED\r\n")
            slowest = max(slowest, Clock.now - began)
            usleep(10_000)
        }
        let seconds = Clock.now - start
        let errors = try Double(daemon.connectAs("ann", "one").stats()["auth_errors"] ?? "") ?? 0
        #expect(errors > 20 && errors < 100 * seconds, "\(errors) in \(seconds) s")
        // A debug build among other tests; a guesser's turn is 50 ms.
        if Surroundings.sanitizer == nil { #expect(slowest < 0.25, "\(slowest) s") }
        var answered = 0
        for wire in guessers {
            wire.finishSending()
            answered += try wire.rest().count / failure.utf8.count
        }
        #expect(Double(answered) <= errors + 40)
        try daemon.stop()
    }

    /// Who takes silence for a no, hangs up and tries again, is not heard more often.
    @Test func hangingUpGainsNothing() throws {
        let daemon = try guarded()
        let insider = try daemon.connectAs("ann", "one")
        let before = try Int(insider.stats()["auth_errors"] ?? "") ?? 0
        let start = Clock.now
        var tries = 0
        while Clock.now - start < 1 {
            let wire = try daemon.connect()
            try wire.send(login("ann", "guess\(tries)"))
            tries += 1
            usleep(500)
        }
        let seconds = Clock.now - start
        let errors = try (Int(insider.stats()["auth_errors"] ?? "") ?? 0) - before
        #expect(tries > 150 && Double(errors) < 100 * seconds, "\(errors) of \(tries) heard")
        // Another address is not concerned, nor are those who are in.
        try insider.ask("get a\r\n", "END\r\n")
        try Wire.tcp(daemon.ports.first { $0.family == "TCP INET6" }?.port ?? 0, host: "::1")
            .ask(login("ann", "one"), "STORED\r\n")
        // This one is heard again soon.
        try daemon.connect().ask(login("ann", "one"), "STORED\r\n")
        try wait(for: "the abandoned connections to be closed") {
            try Int(insider.stats()["curr_connections"] ?? "") ?? 99 <= 3
        }
        try daemon.stop()
    }

    /// A guesser that resets its connection instead of waiting must not keep the worker awake until then.
    @Test func resettingCostsNoTime() throws {
        let daemon = try guarded(["-t", "1"])
        let guessers = try (0..<60).map { _ in try daemon.connect() }
        for wire in guessers { try wire.send(login("ann", "wrong")) }
        let insider = try daemon.connectAs("ann", "one")
        for wire in guessers { wire.reset() }
        let before = daemon.processorSeconds
        // Sixty wrong tries are owed three seconds, less the five that are free.
        Clock.pass(1.5)
        let used = daemon.processorSeconds - before
        if Surroundings.sanitizer == nil { #expect(used < 0.3, "\(used) s in 1.5 s") }
        try insider.ask("get a\r\n", "END\r\n")
        try daemon.stop()
    }

    /// Neither in the log, nor in what operators see, nor in memory that a core file would hold.
    @Test func passwordsLeaveNoTrace() throws {
        let folder = try TemporaryFolder()
        let secret = "Xyzzy" + "-Plugh-4711", wrong = "Abracadabra" + "-Sesam-42"
        let path = folder.path("users")
        try "ann:\(secret)\n".write(toFile: path, atomically: true, encoding: .utf8)
        let daemon = try Daemon(["-vvv", "-r", "-Y", path], folder: folder)
        let watcher = try daemon.connect()
        try watcher.ask(login("ann", secret), "STORED\r\n")
        try watcher.ask("watch fetchers mutations evictions connevents rawcmds\r\n", "OK\r\n")
        // In one piece, in pieces, wrong often enough to wait, and never completed.
        let wire = try daemon.connect()
        for byte in login("ann", wrong).utf8 { try wire.send([byte]) }
        try wire.expect(failure)
        for _ in 0..<7 { try wire.ask(login("ann", wrong), failure) }
        try wire.ask(login("ann", secret) + "set a 0 0 1\r\nx\r\n", "STORED\r\nSTORED\r\n")
        let half = try daemon.connect()
        try half.send("set a 0 0 100\r\nann " + secret)
        let gone = try daemon.connect()
        try gone.send("set a 0 0 100\r\nann " + wrong)
        usleep(20_000)
        gone.close()
        half.close()
        daemon.process.signal(SIGHUP)
        try wait(for: "the reload") { daemon.process.errors.contains("1 entries, before it 1") }
        let stats = try wire.stats().merging(wire.stats("settings")) { $1 }
            .merging(wire.stats("conns")) { $1 }.map { "\($0.key) \($0.value)" }.joined()
        watcher.finishSending()
        let seen = String(decoding: try watcher.rest(), as: UTF8.self) + daemon.process.errors + stats
        for text in [secret, wrong] { #expect(!seen.contains(text)) }
        if Surroundings.sanitizer == nil {
            let found = try daemon.dumpableMemory(containing: [secret, wrong])
            #expect(found == [], "found in \(found)")
            // What was looked for in can hold it: an authenticated client's value is there.
            try wire.ask("set b 0 0 12\r\nFindMe-12345\r\n", "STORED\r\n")
            #expect(try !daemon.dumpableMemory(containing: ["FindMe-" + "12345"]).isEmpty)
        }
        try daemon.stop()
    }
}

extension Daemon {
    fileprivate func connectAs(_ user: String, _ password: String) throws -> Wire {
        let wire = try connect()
        try wire.ask(login(user, password), "STORED\r\n")
        return wire
    }

    /// The mappings a core file takes along in which one of the texts stands.
    fileprivate func dumpableMemory(containing texts: [String]) throws -> [String] {
        let maps = try String(contentsOfFile: "/proc/\(process.pid)/smaps", encoding: .utf8)
        guard let memory = FileHandle(forReadingAtPath: "/proc/\(process.pid)/mem") else {
            try Test.cancel("the daemon's memory can't be read here")
        }
        var found: [String] = []
        var mapping = ""
        for row in maps.split(separator: "\n") {
            if !row.hasPrefix("VmFlags:") {
                if row.first.map({ $0.isHexDigit && $0.isLowercase || $0.isNumber }) == true {
                    mapping = String(row)
                }
                continue
            }
            let flags = row.split(separator: " ").map(String.init)
            guard flags.contains("rd"), !flags.contains("dd"), !mapping.contains("[v") else { continue }
            let ends = mapping.split(separator: " ")[0].split(separator: "-")
                .map { UInt64($0, radix: 16) ?? 0 }
            guard ends.count == 2 else { continue }
            var place = ends[0]
            while place < ends[1] {
                try memory.seek(toOffset: place)
                let length = Int(min(ends[1] - place, 8 << 20))
                guard let bytes = try? memory.read(upToCount: length), !bytes.isEmpty else { break }
                for text in texts where bytes.range(of: Data(text.utf8)) != nil {
                    found.append("\(mapping): \(text)")
                }
                place += UInt64(bytes.count)
            }
        }
        return found
    }
}
