// Where the daemon listens: ports it is given or picks, both families, several addresses, unix sockets.
import Foundation
import Testing

@Suite struct ListenerTests {
    /// A port nobody holds right now.
    static func freePort() throws -> Int {
        let holder = try BoundSocket()
        return holder.port
    }

    @Test func picksAPortAndTellsIt() throws {
        try withDaemon { daemon in
            #expect(daemon.port > 0)
            try Wire.tcp(daemon.port).ask("mn\r\n", "MN\r\n")
        }
    }

    /// Without `-l` only loopback answers, and both families have the one port.
    @Test func loopbackByDefault() throws {
        try withDaemon { daemon in
            #expect(Set(daemon.ports.map(\.port)).count == 1)
            let text = try ChildProcess.run("/bin/cat", ["/proc/net/tcp"]).output
            let port = String(daemon.port, radix: 16, uppercase: true)
            let padded = String(repeating: "0", count: 4 - port.count) + port
            #expect(text.contains("0100007F:\(padded)"), "listens on 127.0.0.1")
            #expect(!text.contains("00000000:\(padded)"), "and not on every interface")
            if FileManager.default.fileExists(atPath: "/proc/net/if_inet6"), try hasLoopback6() {
                try Wire.tcp(daemon.port, host: "::1").ask("mn\r\n", "MN\r\n")
            }
        }
    }

    private func hasLoopback6() throws -> Bool {
        let rows = (try? String(contentsOfFile: "/proc/net/if_inet6", encoding: .utf8)) ?? ""
        return rows.contains("00000000000000000000000000000001")
    }

    @Test func aGivenPort() throws {
        let port = try Self.freePort()
        let daemon = try Daemon(["-p", String(port), "-l", "127.0.0.1"], picksPort: false)
        #expect(daemon.port == port)
        try Wire.tcp(port).ask("mn\r\n", "MN\r\n")
        try daemon.stop()
    }

    @Test func severalAddresses() throws {
        let one = try Self.freePort(), two = try Self.freePort()
        try withDaemon("-l", "127.0.0.1:\(one),127.0.0.2:\(two)", "-l", "127.0.0.3") { daemon in
            try Wire.tcp(one).ask("set a 0 0 1\r\nx\r\n", "STORED\r\n")
            try Wire.tcp(two, host: "127.0.0.2").ask("get a\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n")
            let third = daemon.ports.map(\.port).first { $0 != one && $0 != two }
            let port = try #require(third)
            try Wire.tcp(port, host: "127.0.0.3").ask("get a\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n")
        }
    }

    @Test func addressesInBrackets() throws {
        guard try hasLoopback6() else { return }
        let port = try Self.freePort()
        try withDaemon("-l", "[::1]:\(port)") { daemon in
            try Wire.tcp(port, host: "::1").ask("mn\r\n", "MN\r\n")
            #expect(daemon.ports.first?.family == "TCP INET6")
        }
    }

    @Test func aPortThatIsTaken() throws {
        let holder = try BoundSocket()
        let folder = try TemporaryFolder()
        let daemon = try Daemon(
            ["-p", String(holder.port), "-l", "127.0.0.1"], folder: folder, picksPort: false,
            waitsForPorts: false)
        #expect(try daemon.process.waitForEnd() == .exited(71))
        #expect(daemon.process.errors.contains(String(holder.port)), "\(daemon.process.errors)")
    }

    @Test func unixSocketWithAStaleFile() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("larder.sock")
        for _ in 0..<2 {
            // Killed, it leaves its socket behind; the next one takes the path over.
            let daemon = try Daemon(
                ["-s", path, "-a", "0766"], folder: folder, picksPort: false, waitsForPorts: false)
            try wait(for: "the unix socket") { (try? Wire.unix(path)) != nil }
            let wire = try Wire.unix(path)
            try wire.ask("set a 0 0 1\r\nx\r\nget a\r\n", "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n")
            var facts = stat()
            #expect(stat(path, &facts) == 0 && facts.st_mode & 0o777 == 0o766)
            let sockets = try ChildProcess.run("/bin/cat", ["/proc/net/unix"]).output
            #expect(sockets.contains(path))
            daemon.process.signal(SIGKILL)
            #expect(try daemon.process.waitForEnd() == .killed(SIGKILL))
            #expect(FileManager.default.fileExists(atPath: path))
        }
        let last = try Daemon(["-s", path], folder: folder, picksPort: false, waitsForPorts: false)
        try wait(for: "the unix socket") { (try? Wire.unix(path)) != nil }
        var facts = stat()
        #expect(stat(path, &facts) == 0 && facts.st_mode & 0o777 == 0o700, "the mode by default")
        try last.stop()
        #expect(!FileManager.default.fileExists(atPath: path), "removed at a clean stop")
    }

    /// A file that is no socket is somebody's data.
    @Test func aUnixPathThatIsNoSocket() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("precious")
        try "data".write(toFile: path, atomically: true, encoding: .utf8)
        let daemon = try Daemon(["-s", path], folder: folder, picksPort: false, waitsForPorts: false)
        #expect(try daemon.process.waitForEnd() != .exited(0))
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "data")
    }

    /// `-p 0` with `-U 0` and no socket to listen on leaves nothing to serve; with `-s` it is fine.
    @Test func portZeroIsOff() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("only.sock")
        let daemon = try Daemon(
            ["-p", "0", "-s", path], folder: folder, picksPort: false, waitsForPorts: false)
        try wait(for: "the unix socket") { (try? Wire.unix(path)) != nil }
        let ports = (try? String(contentsOfFile: folder.path("larder.ports"), encoding: .utf8)) ?? ""
        #expect(Daemon.parse(ports).isEmpty, "\(ports)")
        try daemon.stop()
    }
}

/// A listening socket of the test's own, on a port the kernel picked.
final class BoundSocket {
    let descriptor: Int32
    let port: Int

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = self.descriptor
        let failed = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) != 0 || listen(descriptor, 128) != 0
                    || getsockname(descriptor, $0, &length) != 0
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        if failed { throw Trouble("no socket to listen on: \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }
}
