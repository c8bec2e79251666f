// Several daemons behind twemproxy, by the configuration that `systemd/nutcracker.yml` ships: one is killed
// under load, left out, started again and taken back.
import Foundation
import Testing

@Suite struct ManyMachinesTests {
    private static let shipped = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../systemd/nutcracker.yml").path

    /// The shipped file with the ports of this test.
    private func configuration(front: Int, daemons: [Int]) throws -> String {
        var text = try String(contentsOfFile: Self.shipped, encoding: .utf8)
        for (usual, port) in [(22121, front)] + zip([11211, 11212, 11213], daemons) {
            #expect(text.contains("127.0.0.1:\(usual)"))
            text = text.replacingOccurrences(of: "127.0.0.1:\(usual)", with: "127.0.0.1:\(port)")
        }
        return text
    }

    @Test func oneOfThreeDiesAndComesBack() throws {
        let nutcracker = Surroundings.find("nutcracker")
        try Surroundings.require(nutcracker != nil, "nutcracker (twemproxy)")
        let ports = try (0..<3).map { _ in try ListenerTests.freePort() }
        func start(_ number: Int) throws -> Daemon {
            try Daemon(["-p", "\(ports[number])", "-l", "127.0.0.1"], picksPort: false)
        }
        var daemons = try ports.indices.map(start)
        let folder = try TemporaryFolder()
        let front = try ListenerTests.freePort(), statsPort = try ListenerTests.freePort()
        try configuration(front: front, daemons: ports)
            .write(toFile: folder.path("nutcracker.yml"), atomically: true, encoding: .utf8)
        let process = try ChildProcess(
            nutcracker!, ["-c", folder.path("nutcracker.yml"), "-s", String(statsPort), "-a", "127.0.0.1"],
            folder: folder)
        defer {
            process.signal(SIGTERM)
            _ = try? process.waitForEnd()
        }
        try wait(for: "nutcracker: \(process.errors)") { (try? Wire.tcp(front)) != nil }
        let wire = try Wire.tcp(front)
        for index in 0..<300 { try wire.ask("set k\(index) 0 0 5\r\nvalue\r\n", "STORED\r\n") }
        try wire.send("get \((0..<300).map { "k\($0)" }.joined(separator: " "))\r\n")
        #expect(try wire.lines(through: "END").count == 601)
        for daemon in daemons {
            let items = Int(try daemon.connect().stats()["curr_items"] ?? "") ?? 0
            #expect(items > 50, "each has its share")
        }

        daemons[0].process.signal(SIGKILL)
        #expect(try daemons[0].process.waitForEnd() == .killed(SIGKILL))
        // The requests that find it dead fail; then its keys go to the others.
        let errors = try errors(of: 1000, on: wire)
        #expect(errors >= 1 && errors <= 10, "\(errors) errors of 1000")

        daemons[0] = try start(0)
        let back = try daemons[0].connect()
        try wait(for: "the daemon to be taken back") {
            _ = try self.errors(of: 20, on: wire)
            return try back.stats()["curr_items"] != "0"
        }
        #expect(try self.errors(of: 1000, on: wire) == 0)
        for daemon in daemons { try daemon.stop() }
    }

    /// How many of so many writes failed.
    private func errors(of count: Int, on wire: Wire) throws -> Int {
        var errors = 0
        for index in 0..<count {
            try wire.send("set again\(index) 0 0 1\r\nx\r\n")
            let answer = try wire.line()
            if answer != "STORED" {
                #expect(answer.hasPrefix("SERVER_ERROR"), "\(answer)")
                errors += 1
            }
        }
        return errors
    }
}
