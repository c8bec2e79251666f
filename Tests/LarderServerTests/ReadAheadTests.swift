// Clients that are readable at once: each is read before the one before it is answered, and none may notice.
import Foundation
import Testing

struct ReadAheadTests {
    /// Requests of every kind and length side by side: each client gets its own answers, whole and in order.
    @Test(arguments: ["1", "2"]) func everyoneGetsHisOwn(_ threads: String) throws {
        try withDaemon("-t", threads, "-R", "5") { daemon in
            let long = String(repeating: "l", count: 3000)
            let huge = String(repeating: "h", count: 100_000)
            /// What client `i` sends, in two pieces, and what it hears.
            func talk(_ i: Int) -> (first: String, rest: String, answer: String) {
                let set = "set k\(i) 0 0 \(String(i).count)\r\n\(i)\r\n"
                let value = "VALUE k\(i) 0 \(String(i).count)\r\n\(i)\r\n"
                return switch i % 8 {
                case 0: (set, "get k\(i)\r\n", "STORED\r\n\(value)END\r\n")
                case 1: (set + "get k", "\(i)\r\n", "STORED\r\n\(value)END\r\n")
                case 2: ("mn\r\nset k\(i) 0 0 3000\r\n\(long)", "\r\n", "MN\r\nSTORED\r\n")
                case 3:
                    (set + String(repeating: "get k\(i) none\r\n", count: 12), "mn\r\n",
                        "STORED\r\n" + String(repeating: "\(value)END\r\n", count: 12) + "MN\r\n")
                case 4: ("set k\(i) 0 0 100000\r\n\(huge)", "\r\nmn\r\n", "STORED\r\nMN\r\n")
                case 5:
                    ("\(set)ms m\(i) 1\r\nx\r\nmg m\(i) v\r\n", "incr k\(i) 1\r\n",
                        "STORED\r\nHD\r\nVA 1\r\nx\r\n\(i + 1)\r\n")
                case 6:
                    ("nonsense\r\nget\r\n", "unknown\r\n",
                        "ERROR\r\nCLIENT_ERROR bad command line format\r\nERROR\r\n")
                default: ("get none\r\nset k\(i) 0 0 1\r\nxyz\r\n", "mn\r\n",
                    "END\r\nCLIENT_ERROR bad data chunk\r\nCLIENT_ERROR bad command line format\r\nMN\r\n")
                }
            }
            for round in 0..<6 {
                let wires = try (0..<64).map { _ in try daemon.connect() }
                for wire in wires { try wire.ask("mn\r\n", "MN\r\n") }
                var started: [Int] = []
                try daemon.seesAtOnce {
                    for i in wires.indices.shuffled() where i % 8 != 4 {
                        try wires[i].send(talk(i).first)
                        started.append(i)
                    }
                }
                for i in wires.indices where i % 8 == 4 { try wires[i].send(talk(i).first) }
                if round % 2 == 1 { Clock.pass(0.02) }
                for i in wires.indices where i % 8 == 4 { try wires[i].send(talk(i).rest) }
                try daemon.seesAtOnce {
                    for i in started.reversed() { try wires[i].send(talk(i).rest) }
                }
                for i in wires.indices { try wires[i].expect(talk(i).answer) }
            }
        }
    }

    /// Some leave while their requests wait, politely or not; what they asked for is done all the same, and
    /// the others hear nothing of them.
    @Test func someLeave() throws {
        try withDaemon("-t", "1", "-A") { daemon in
            for round in 0..<10 {
                let wires = try (0..<40).map { _ in try daemon.connect() }
                for wire in wires { try wire.ask("mn\r\n", "MN\r\n") }
                try daemon.seesAtOnce {
                    for (i, wire) in wires.enumerated() {
                        let set = "set left\(round).\(i) 0 0 1 noreply\r\nx\r\n"
                        switch i % 5 {
                        case 0: try wire.send("\(set)quit\r\n")
                        case 1:
                            try wire.send(set)
                            wire.close()
                        case 2:
                            try wire.send(set)
                            wire.finishSending()
                        case 3:
                            try wire.send("get left\(round).\(i)\r\n")
                            wire.reset()
                        default: try wire.send("\(set)get left\(round).\(i)\r\n")
                        }
                    }
                }
                for (i, wire) in wires.enumerated() {
                    switch i % 5 {
                    case 0, 2: #expect(try wire.isClosed(upTo: 5))
                    case 4: try wire.expect("VALUE left\(round).\(i) 0 1\r\nx\r\nEND\r\n")
                    default: break
                    }
                }
                let asker = try daemon.connect()
                for i in wires.indices where i % 5 != 3 {
                    try asker.ask("mg left\(round).\(i)\r\n", "HD\r\n")
                }
            }
        }
    }

    /// Who has not logged in is not looked ahead at: nobody gets in on the words of another.
    @Test func nobodyGetsInUnasked() throws {
        let folder = try TemporaryFolder()
        let file = folder.path("users")
        try "ann:one\n".write(toFile: file, atomically: true, encoding: .utf8)
        chmod(file, 0o600)
        try withDaemon("-t", "1", "-u", "root", "-Y", file) { daemon in
            let known = try (0..<10).map { _ in try daemon.connect() }
            for wire in known { try wire.ask("set auth 0 0 7\r\nann one\r\n", "STORED\r\n") }
            let strangers = try (0..<10).map { _ in try daemon.connect() }
            try daemon.seesAtOnce {
                for (wire, stranger) in zip(known, strangers) {
                    try wire.send("set a 0 0 1\r\nx\r\n")
                    try stranger.send("get a\r\n")
                }
            }
            for wire in known { try wire.expect("STORED\r\n") }
            for wire in strangers { try wire.expect("CLIENT_ERROR unauthenticated\r\n") }
        }
    }

    /// A watcher that comes between the reading and the answering sees what is answered from then on.
    @Test func watchersComeBetween() throws {
        try withDaemon("-t", "1") { daemon in
            let watcher = try daemon.connect()
            let wires = try (0..<20).map { _ in try daemon.connect() }
            for wire in wires + [watcher] { try wire.ask("mn\r\n", "MN\r\n") }
            try daemon.seesAtOnce {
                for wire in wires[..<10] { try wire.send("set w 0 0 1\r\nx\r\n") }
                try watcher.send("watch mutations\r\n")
                for wire in wires[10...] { try wire.send("set w 0 0 1\r\nx\r\n") }
            }
            for wire in wires { try wire.expect("STORED\r\n") }
            try watcher.expect("OK\r\n")
            try wires[0].ask("set last 0 0 1\r\nx\r\n", "STORED\r\n")
            var line = ""
            repeat { line = try watcher.line() } while !line.contains("key=last")
        }
    }
}
