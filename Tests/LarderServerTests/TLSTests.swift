// TLS with real sockets and OpenSSL at the other end: what is served, who is refused, and certificates that
// change while connections go on.
import Foundation
import Testing

@Suite struct TLSTests {
    private static let scripts = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Clients").path

    private func certificates() throws -> Certificates { try Certificates.shared.get() }

    private func withSecureDaemon(
        _ more: String = "", _ options: [String] = [], sourceLocation: SourceLocation = #_sourceLocation,
        _ body: (Daemon) throws -> Void
    ) throws {
        let daemon = try Daemon(certificates().options("first", more) + options)
        try body(daemon)
        try daemon.stop(sourceLocation: sourceLocation)
    }

    // MARK: what is served

    @Test(arguments: ["-tls1_2", "-tls1_3"]) func values(_ version: String) throws {
        try withSecureDaemon { daemon in
            let client = try Secure(daemon.port, [version])
            let wire = client.wire
            try wire.ask("set a 0 0 5\r\nhello\r\nget a b\r\n", "STORED\r\nVALUE a 0 5\r\nhello\r\nEND\r\n")
            // Around a record's size, then values that lie in many places of the store.
            for length in [16 << 10, 16385, 100 << 10, 1_000_000] {
                let value = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
                try wire.send(Array("set long 0 0 \(length)\r\n".utf8) + value + [13, 10])
                try wire.expect("STORED\r\n")
                try wire.ask("get long a\r\n", "VALUE long 0 \(length)\r\n")
                #expect(try wire.bytes(length + 2) == value + [13, 10])
                try wire.expect("VALUE a 0 5\r\nhello\r\nEND\r\n")
            }
            let stats = try wire.stats()
            #expect(stats["ssl_handshake_errors"] == "0" && stats["ssl_proto_errors"] == "0")
            #expect(stats["time_since_server_cert_refresh"] != nil && stats["ssl_new_sessions"] == nil)
            #expect(try wire.stats("settings")["ssl_enabled"] == "yes")
        }
    }

    /// Many requests in a record, and a record's worth of them in the middle of one.
    @Test func pipelining() throws {
        try withSecureDaemon { daemon in
            let client = try Secure(daemon.port)
            try client.wire.tell("set a 0 0 1 noreply\r\nx\r\n")
            try client.wire.send(String(repeating: "get a\r\n", count: 30_000) + "mn\r\n")
            for _ in 0..<30_000 { try client.wire.expect("VALUE a 0 1\r\nx\r\nEND\r\n") }
            try client.wire.expect("MN\r\n")
        }
    }

    /// What OpenSSL has read ahead wakes no loop: 64 KiB fill the buffer, 256 KiB are a turn.
    @Test(arguments: [(1, "20"), (4, "1000000")]) func readAhead(_ fills: Int, _ requests: String) throws {
        let python = Surroundings.find("python3")
        try Surroundings.require(python != nil, "python3")
        try withSecureDaemon("", ["-t", "1", "-R", requests]) { daemon in
            let words = [Self.scripts + "/tls_burst_client.py", "\(daemon.port)", "\(daemon.process.pid)"]
            let said = try ChildProcess.run(python!, words + ["\(fills)"], upTo: 60)
            #expect(said.ending == .exited(0) && said.output == "ok\n", "\(said.errors)")
        }
    }

    /// A client whose small writes wait for an acknowledgement gets it right after the handshake.
    @Test func theFirstRequestIsNotHeldBack() throws {
        let python = Surroundings.find("python3")
        try Surroundings.require(python != nil, "python3")
        try withSecureDaemon { daemon in
            let script = Self.scripts + "/tls_first_request_client.py"
            let said = try ChildProcess.run(python!, [script, "\(daemon.port)"], upTo: 60)
            #expect(said.ending == .exited(0) && said.output == "ok\n", "\(said.output)\(said.errors)")
        }
    }

    /// One who doesn't read for a while gets it all, and keeps nobody waiting.
    @Test func slowReader() throws {
        try withSecureDaemon("", ["-t", "1"]) { daemon in
            let slow = try Secure(daemon.port), other = try Secure(daemon.port)
            let value = String(repeating: "0123456789abcdef", count: 32 << 10)
            try other.wire.ask("set long 0 0 \(value.utf8.count)\r\n\(value)\r\n", "STORED\r\n")
            let count = 60
            let line = Array(repeating: "long", count: count).joined(separator: " ")
            var request = Array("get \(line)\r\n".utf8)[...]
            while !request.isEmpty { request = request.dropFirst(try slow.wire.push(request)) }
            try wait(for: "the daemon to be stuck") {
                try other.wire.stats("conns").values.contains("conn_mwrite")
            }
            for _ in 0..<100 { try other.wire.ask("get none\r\n", "END\r\n") }
            let answer = Array("VALUE long 0 \(value.utf8.count)\r\n\(value)\r\n".utf8)
            for _ in 0..<count { #expect(try slow.wire.bytes(answer.count) == answer) }
            try slow.wire.expect("END\r\n")
        }
    }

    @Test func watchersToo() throws {
        try withSecureDaemon { daemon in
            let watcher = try Secure(daemon.port), client = try Secure(daemon.port)
            try watcher.wire.ask("watch fetchers connevents\r\n", "OK\r\n")
            try client.wire.ask("get a\r\n", "END\r\n")
            var line = try watcher.wire.line()
            if line.contains("conn_new") { line = try watcher.wire.line() }
            #expect(line.contains("type=item_get key=a status=not_found"))
            let plain = try Wire.tcp(daemon.port)
            try plain.send("get a\r\n")
            repeat { line = try watcher.wire.line() } while !line.contains("type=conntlserr")
            #expect(line.contains(" msg=") && line.contains("SSL"))
        }
    }

    @Test func pymemcache() throws {
        let python = Surroundings.variable("LARDER_PYTHON") ?? Surroundings.find("python3")
        let there = try python.map {
            try ChildProcess.run($0, ["-c", "import pymemcache, ssl"], upTo: 60).ending == .exited(0)
        }
        try Surroundings.require(there ?? false, "Python's pymemcache")
        let script = Self.scripts + "/pymemcache_tls_client.py"
        try withSecureDaemon(",ssl_session_cache") { daemon in
            let said = try ChildProcess.run(
                python!, [script, String(daemon.port), certificates().path("first.crt")],
                environment: ["PYTHONDONTWRITEBYTECODE": "1"], upTo: 120)
            #expect(said.ending == .exited(0), "\(said.output)\(said.errors)")
            let client = try Secure(daemon.port)
            #expect(Int(try client.wire.stats()["ssl_new_sessions"] ?? "") ?? 0 > 0)
        }
    }

    // MARK: who is refused

    @Test func plainText() throws {
        try withSecureDaemon("", ["-l", "127.0.0.1,notls:127.0.0.2"]) { daemon in
            let wrong = try Wire.tcp(daemon.port)
            try wrong.send("get a\r\n")
            // Perhaps an alert, but no answer.
            #expect(try wrong.rest().contains(UInt8(ascii: "E")) == false)
            let plain = try Wire.tcp(daemon.port, host: "127.0.0.2"), secure = try Secure(daemon.port)
            try plain.ask("set a 0 0 1\r\nx\r\n", "STORED\r\n")
            try secure.wire.ask("get a\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n")
            #expect(try plain.stats()["ssl_handshake_errors"] == "1")
            let astray = try Secure(daemon.port, host: "127.0.0.2")
            #expect(try astray.wire.isClosed())
        }
    }

    private func expectServed(
        _ expected: Bool, _ daemon: Daemon, host: String = "127.0.0.1", _ arguments: [String],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let client = try Secure(daemon.port, host: host, arguments)
        // One who is refused may be gone before the question is.
        try? client.wire.send("mn\r\n")
        let isServed = (try? client.wire.line()) == "MN"
        #expect(isServed == expected, sourceLocation: sourceLocation)
    }

    @Test func oldVersions() throws {
        let ancient = ["-cipher", "ALL:@SECLEVEL=0", "-tls1_1"]
        try withSecureDaemon(",ssl_ciphers=ALL:@SECLEVEL=0") { daemon in
            try expectServed(false, daemon, ancient)
            try expectServed(true, daemon, ["-tls1_2"])
        }
        try withSecureDaemon(",ssl_min_version=3") { daemon in
            try expectServed(false, daemon, ["-tls1_2"])
            try expectServed(true, daemon, ["-tls1_3"])
        }
    }

    @Test func ciphers() throws {
        let chosen = ",ssl_ciphers=ECDHE-ECDSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256"
        try withSecureDaemon(chosen) { daemon in
            try expectServed(true, daemon, ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"])
            try expectServed(false, daemon, ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"])
            try expectServed(true, daemon, ["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"])
            try expectServed(false, daemon, ["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"])
        }
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"]) func clientCertificates(_ version: String) throws {
        let certificates = try certificates()
        let required = ",ssl_verify_mode=2,ssl_ca_cert=\(certificates.path("authority.crt"))"
        try withSecureDaemon(required, ["-l", "127.0.0.1,btls:127.0.0.2"]) { daemon in
            try expectServed(true, daemon, [version] + certificates.showing("client"))
            try expectServed(false, daemon, [version] + certificates.showing("stranger"))
            try expectServed(false, daemon, [version])
            try expectServed(true, daemon, host: "127.0.0.2", [version])
        }
        let requested = ",ssl_verify_mode=1,ssl_ca_cert=\(certificates.path("authority.crt"))"
        try withSecureDaemon(requested, ["-l", "127.0.0.1,mtls:127.0.0.2"]) { daemon in
            try expectServed(true, daemon, [version])
            try expectServed(false, daemon, [version] + certificates.showing("stranger"))
            try expectServed(false, daemon, host: "127.0.0.2", [version])
            try expectServed(true, daemon, host: "127.0.0.2", [version] + certificates.showing("client"))
        }
    }

    /// Who stops in the middle of a handshake, or never begins it, costs a connection and nobody's time.
    @Test func stalledHandshakes() throws {
        try withSecureDaemon("", ["-t", "1", "-o", "idle_timeout=2"]) { daemon in
            // The beginning of a record that holds a client's hello of 256 bytes.
            let hello: [UInt8] = [0x16, 3, 1, 1, 4, 1, 0, 1, 0, 3, 3] + Array(repeating: 7, count: 32)
            let stalled = try (0..<50).map { index in
                let wire = try Wire.tcp(daemon.port)
                if index % 2 == 0 { try wire.send(hello) }
                return wire
            }
            let client = try Secure(daemon.port)
            for _ in 0..<200 { try client.wire.ask("mn\r\n", "MN\r\n") }
            for wire in stalled { #expect(try wire.isClosed()) }
            let late = try Secure(daemon.port)
            #expect(Int(try late.wire.stats()["idle_kicks"] ?? "") ?? 0 >= 50)
        }
    }

    /// Messages that are TLS's own are taken a few at a time, so that the worker's other clients are served.
    @Test func newKeysWithoutEnd() throws {
        let python = Surroundings.find("python3")
        try Surroundings.require(python != nil, "python3")
        try withSecureDaemon("", ["-t", "1"]) { daemon in
            let client = try Secure(daemon.port)
            try client.wire.ask("mn\r\n", "MN\r\n")
            let flood = try ChildProcess(
                python!, [Self.scripts + "/tls_key_update_flood.py", "\(daemon.port)", "3"],
                folder: daemon.folder, name: "flood")
            var slowest = 0.0
            while flood.hasEnded == nil {
                let start = Clock.now
                try client.wire.ask("mn\r\n", "MN\r\n")
                slowest = max(slowest, Clock.now - start)
                usleep(1000)
            }
            #expect(Int(flood.output.dropLast()) ?? 0 > 1000, "\(flood.output)\(flood.errors)")
            #expect(slowest < 1, "\(slowest) s")
        }
    }

    // MARK: certificates that change

    enum Way: CaseIterable { case command, signal }

    @Test(arguments: Way.allCases) func newCertificates(_ way: Way) throws {
        let certificates = try certificates()
        let folder = try TemporaryFolder()
        func install(_ name: String) throws {
            for kind in ["crt", "key"] {
                let bytes = try Data(contentsOf: URL(fileURLWithPath: certificates.path("\(name).\(kind)")))
                try bytes.write(to: URL(fileURLWithPath: folder.path("server.\(kind)")), options: .atomic)
            }
        }
        try install("first")
        let files = "ssl_chain_cert=\(folder.path("server.crt")),ssl_key=\(folder.path("server.key"))"
        let daemon = try Daemon(["-Z", "-o", files])
        let old = try Secure(daemon.port)
        try old.wire.ask("set a 0 0 1\r\nx\r\n", "STORED\r\n")
        func refresh(_ isGood: Bool) throws {
            let before = daemon.process.errors.utf8.count
            switch way {
            case .command:
                try old.wire.send("refresh_certs\r\n")
                let answer = try old.wire.line()
                #expect(isGood ? answer == "OK" : answer.hasPrefix("SERVER_ERROR "), "\(answer)")
            case .signal: daemon.process.signal(SIGHUP)
            }
            let word = "certificates: " + (isGood ? "taken over" : "the old stays in use")
            try wait(for: word) { daemon.process.errors.utf8.dropFirst(before).contains(word.utf8) }
        }
        #expect(try Secure.name(daemon.port) == "CN=first")
        try install("second")
        try refresh(true)
        #expect(try Secure.name(daemon.port) == "CN=second")
        try old.wire.ask("get a\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n")
        // A certificate without its key, then none at all: what was stays.
        try install("first")
        let otherKey = try Data(contentsOf: URL(fileURLWithPath: certificates.path("second.key")))
        try otherKey.write(to: URL(fileURLWithPath: folder.path("server.key")))
        try refresh(false)
        try Data("nonsense".utf8).write(to: URL(fileURLWithPath: folder.path("server.crt")))
        try refresh(false)
        #expect(try Secure.name(daemon.port) == "CN=second")
        try old.wire.ask("get a\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n")
        try daemon.stop()
    }

    /// Files that are no good are named at the start, in one line.
    @Test func badFiles() throws {
        let certificates = try certificates()
        let good = certificates.path("first")
        let empty = certificates.folder.path("empty")
        try Data().write(to: URL(fileURLWithPath: empty))
        let cases = [
            ("ssl_chain_cert=/nowhere/x,ssl_key=\(good).key", "/nowhere/x: No such file or directory"),
            ("ssl_chain_cert=\(empty),ssl_key=\(good).key", "\(empty): "),
            ("ssl_chain_cert=\(good).crt", "\(good).crt: "),
            ("ssl_chain_cert=\(good).crt,ssl_key=/nowhere/k", "/nowhere/k: No such file or directory"),
            ("ssl_chain_cert=\(good).crt,ssl_key=\(certificates.path("second")).key", "key"),
            ("ssl_chain_cert=\(good).crt,ssl_key=\(good).key,ssl_ca_cert=\(empty)", "\(empty): "),
            ("ssl_chain_cert=\(good).crt,ssl_key=\(good).key,ssl_ciphers=nonsense", "nonsense"),
        ]
        for (words, named) in cases {
            let daemon = try Daemon(["-Z", "-o", words], waitsForPorts: false)
            #expect(try daemon.process.waitForEnd() == .exited(64), "\(words)")
            let said = daemon.process.errors
            #expect(said.hasPrefix("larder: -Z: ") && said.contains(named), "\(words): \(said)")
            #expect(said.split(separator: "\n").count == 1, "\(said)")
        }
    }
}

extension Sequence<UInt8> {
    fileprivate func contains(_ word: String.UTF8View) -> Bool {
        String(decoding: Array(self), as: UTF8.self).contains(String(word))
    }
}
