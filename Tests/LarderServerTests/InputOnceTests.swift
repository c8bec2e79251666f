// A worker is told of input once, when it comes: what it leaves in a socket, or what comes with the input and
// makes no noise of its own, must not be forgotten there.
import Foundation
import Testing

struct InputOnceTests {
    enum Ending: CaseIterable { case close, finish, reset }

    private func end(_ wire: Wire, _ ending: Ending) {
        switch ending {
        case .close: wire.close()
        case .finish: wire.finishSending()
        case .reset: wire.reset()
        }
    }

    /// Input nobody answers, and the end right behind it: every connection is gone soon.
    @Test(arguments: Ending.allCases) func endsBehindSilence(_ ending: Ending) throws {
        let folder = try TemporaryFolder()
        let long = String(repeating: "l", count: 100_000)
        let inputs = [
            "", "set a 0 0 1 noreply\r\nx\r\n", "set a 0 0", "set a 0 0 10\r\nhalf", "ms a 3000\r\n",
            "set a 0 0 200000\r\n\(long)", "set a 0 0 2000000000\r\n\(long)", "mg none k q\r\n",
            "get " + String(repeating: "k ", count: 2000), "mn\r\n",
            "get none\r\nset a 0 0 1 noreply\r\nx\r\n",
            // A little more than is read at first, and many turns.
            String(repeating: "mg none k q\r\n", count: (16 << 10) / 13 + 1),
        ]
        for options in [["-l", "127.0.0.1"], ["-s", folder.path("socket")]] {
            let isTCP = options[0] == "-l"
            let daemon = try Daemon(options + ["-t", "1", "-R", "3"], picksPort: isTCP, waitsForPorts: isTCP)
            defer { daemon.process.signal(SIGKILL) }
            func connect() throws -> Wire { try isTCP ? daemon.connect() : .unix(folder.path("socket")) }
            try wait(for: "the daemon to listen") { (try? connect()) != nil }
            let asker = try connect()
            let wires = try (inputs + inputs).map { _ in try connect() }
            for wire in wires { try wire.ask("mn\r\n", "MN\r\n") }
            try daemon.seesAtOnce {
                for (wire, input) in zip(wires, inputs + inputs) {
                    try wire.send(input)
                    end(wire, ending)
                }
            }
            try wait(for: "all connections but one to be gone") {
                try asker.stats()["curr_connections"] == "1"
            }
        }
    }

    /// What a client has sent is done, however it went away, and though it takes many turns.
    @Test func doneToTheLast() throws {
        try withDaemon("-t", "1", "-R", "5") { daemon in
            let asker = try daemon.connect()
            for first in ["", "get none\r\n"] {
                // Nothing can be sent to who has reset his connection: there it ends.
                for ending in Ending.allCases where first == "" || ending != .reset {
                    let wires = try (0..<10).map { _ in try daemon.connect() }
                    for wire in wires { try wire.ask("mn\r\n", "MN\r\n") }
                    try daemon.seesAtOnce {
                        for (i, wire) in wires.enumerated() {
                            let sets = (0..<100).map { "set k\(i).\($0) 0 0 1 noreply\r\nx\r\n" }
                            try wire.send(first + sets.joined())
                            end(wire, ending)
                        }
                    }
                    for i in wires.indices {
                        try wait(for: "the last request of \(i), \(ending)") {
                            try asker.send("md k\(i).99\r\n")
                            return try asker.line() == "HD"
                        }
                    }
                }
            }
        }
    }

    /// More than a client's share of a turn in one read, without an answer in between.
    @Test func moreThanATurn() throws {
        try withDaemon("-t", "1", "-m", "64") { daemon in
            let wire = try daemon.connect()
            func set(_ bytes: Int) -> String {
                "set k\(bytes) 0 0 \(bytes) noreply\r\n\(String(repeating: "v", count: bytes))\r\n"
            }
            // The kernel learns how much room the socket needs.
            for _ in 0..<20 { try wire.ask(set(1_000_000) + "mn\r\n", "MN\r\n") }
            for bytes in [300_000, 400_000, 500_000, 600_000] {
                try daemon.seesAtOnce { try wire.send(set(bytes) + set(100_000) + "mn\r\n") }
                try wire.expect("MN\r\n")
            }
        }
    }

    /// A client whose turn is over has more in its socket, and sends nothing until it is answered.
    @Test func restsWithMoreToRead() throws {
        try withDaemon("-t", "1", "-R", "3") { daemon in
            let wires = try (0..<10).map { _ in try daemon.connect() }
            for wire in wires { try wire.ask("mn\r\n", "MN\r\n") }
            for pieces in [10, 2000, 10_000] {
                try daemon.seesAtOnce {
                    for wire in wires { try wire.send(String(repeating: "mn\r\n", count: pieces)) }
                }
                for wire in wires { try wire.expect(String(repeating: "MN\r\n", count: pieces)) }
            }
        }
    }

    /// What comes while a client does not read its answers is read when it has read them.
    @Test func answeredLate() throws {
        try withDaemon("-t", "1") { daemon in
            let wire = try daemon.connect()
            let value = String(repeating: "v", count: 500_000)
            try wire.ask("set a 0 0 500000\r\n\(value)\r\n", "STORED\r\n")
            try wire.send(String(repeating: "get a\r\n", count: 20))
            Clock.pass(0.05)
            try wire.send("mn\r\n")
            _ = try wire.bytes(20 * "VALUE a 0 500000\r\n\(value)\r\nEND\r\n".utf8.count)
            try wire.expect("MN\r\n")
        }
    }
}
