// Bytes in quantity and in crumbs: big values, long pipelines, long multigets, input cut anywhere,
// connections that break off.
import Foundation
import Testing

@Suite struct StreamTests {
    private func pattern(_ count: Int, seed: UInt64) -> [UInt8] {
        var random = SeededRandom(seed: seed)
        var bytes = [UInt8]()
        bytes.reserveCapacity(count + 8)
        while bytes.count < count {
            withUnsafeBytes(of: random.next()) { bytes += $0 }
        }
        return Array(bytes[..<count])
    }

    private func roundTrip(_ wire: Wire, _ key: String, _ value: [UInt8]) throws {
        try wire.send(Array("set \(key) 0 0 \(value.count)\r\n".utf8) + value + [13, 10])
        try wire.expect("STORED\r\n")
        try wire.ask("get \(key)\r\n", "VALUE \(key) 0 \(value.count)\r\n")
        #expect(try wire.bytes(value.count) == value)
        try wire.expect("\r\nEND\r\n")
    }

    @Test func valuesOfEverySize() throws {
        try withDaemon("-m", "256", "-I", "32m") { daemon in
            let wire = try daemon.connect()
            let limits = [100, 4096, 16384, 65536, 1 << 20]
            for size in [0, 1] + limits.flatMap({ [$0 - 1, $0, $0 + 1] }) + [3_000_000, 20 << 20] {
                try roundTrip(wire, "v\(size)", pattern(size, seed: UInt64(size)))
            }
            let large = pattern(20 << 20, seed: 20 << 20)
            try wire.ask("append v20971520 0 0 3\r\nend\r\n", "STORED\r\n")
            try wire.ask("get v20971520\r\n", "VALUE v20971520 0 \(large.count + 3)\r\n")
            #expect(try wire.bytes(large.count + 3) == large + Array("end".utf8))
            try wire.expect("\r\nEND\r\n")
        }
    }

    @Test func theLargestValueByDefault() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            // A little less than 1 MiB: the key and the item's header count too.
            try roundTrip(wire, "big", pattern((1 << 20) - 512, seed: 1))
        }
    }

    @Test func tenThousandGetsInOneGo() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            let value = String(repeating: "x", count: 100)
            try wire.ask("set a 0 0 100\r\n\(value)\r\n", "STORED\r\n")
            let count = 10_000
            try wire.send(String(repeating: "get a\r\nget b\r\n", count: count))
            let answer = Array("VALUE a 0 100\r\n\(value)\r\nEND\r\nEND\r\n".utf8)
            for _ in 0..<count {
                guard try wire.bytes(answer.count) == answer else { throw Trouble("an answer out of place") }
            }
            try wire.tell("")
        }
    }

    @Test(arguments: [1000, 70_000]) func longMultigets(_ count: Int) throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            let keys = (0..<count).map { "key:\($0)" }
            // Every third key is missing.
            let sets = keys.enumerated().filter { $0.offset % 3 != 0 }
                .map { "set \($0.element) \($0.offset) 0 7 noreply\r\nvalue-\($0.offset % 10)\r\n" }
            try wire.tell(sets.joined())
            try wire.send("get " + keys.joined(separator: " ") + "\r\n")
            for (offset, key) in keys.enumerated() where offset % 3 != 0 {
                let expected = Array("VALUE \(key) \(offset) 7\r\nvalue-\(offset % 10)\r\n".utf8)
                let got = try wire.bytes(expected.count)
                guard got == expected else { throw Trouble("\(printable(got)) where \(key) should be") }
            }
            try wire.expect("END\r\n")
            try wire.tell("")
        }
    }

    @Test func aByteAtATime() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            let talk =
                "set a 1 0 5\r\nab\r\nc\r\nget a b  c \r\nincr x 1\r\nms m 2 T0 c O1\r\nhi\r\nmg m v k\r\n"
                + "set b 0 0 2 noreply\r\nxy\r\ngets q\r\ndelete b\r\nmn\r\n"
            for byte in talk.utf8 {
                // No delay: TCP_NODELAY makes a packet of each.
                try wire.send([byte])
            }
            try wire.expect("STORED\r\nVALUE a 1 5\r\nab\r\nc\r\nEND\r\nNOT_FOUND\r\nHD c")
            #expect(try wire.line().hasSuffix(" O1"))
            try wire.expect("VA 2 km\r\nhi\r\nEND\r\nDELETED\r\nMN\r\n")
        }
    }

    /// A value that was announced and only half sent is never seen, and its memory comes back.
    @Test func halfARequestThenGone() throws {
        try withDaemon("-m", "32", "-t", "2") { daemon in
            let reader = try daemon.connect()
            try reader.ask("set a 0 0 3\r\nold\r\n", "STORED\r\n")
            let half = Array("set a 0 0 1000000\r\n".utf8) + [UInt8](repeating: 0x68, count: 600_000)
            for round in 0..<100 {
                let wire = try daemon.connect()
                try wire.send(half)
                if round % 2 == 0 { wire.reset() } else { wire.close() }
                try wait(for: "the broken connection to be gone") {
                    try reader.stats()["curr_connections"].flatMap { Int($0) } ?? 99 <= 4
                }
            }
            for cut in [
                "g", "get", "get a", "get a\r", "set a 0 0 3\r\nne", "set a 0 0 3\r\nnew", "mg a", "incr a 1",
            ] {
                let wire = try daemon.connect()
                try wire.send(cut)
                wire.finishSending()
                #expect(try wire.isClosed(), "an answer to half of \(cut)")
            }
            try reader.ask("get a\r\n", "VALUE a 0 3\r\nold\r\nEND\r\n")
            let value = String(repeating: "v", count: 900_000)
            for index in 0..<10 { try reader.ask("set n\(index) 0 0 900000\r\n\(value)\r\n", "STORED\r\n") }
        }
    }

    /// What is complete when the client stops sending is answered before the connection is closed.
    @Test func answersAfterTheLastWord() throws {
        try withDaemon { daemon in
            let wire = try daemon.connect()
            try wire.send(String(repeating: "set a 0 0 5\r\nhello\r\nget a\r\n", count: 500) + "get hal")
            wire.finishSending()
            let answer = "STORED\r\nVALUE a 0 5\r\nhello\r\nEND\r\n"
            #expect(try wire.rest() == Array(String(repeating: answer, count: 500).utf8))
        }
    }

    /// `quit`, a reset, an error that closes: none may leave anything to whoever comes next on the same
    /// worker.
    @Test func nothingIsLeftToTheNextConnection() throws {
        try withDaemon("-t", "1") { daemon in
            for round in 0..<60 {
                let leaving = try daemon.connect()
                let value = String(repeating: "s", count: 5000)
                try leaving.send("set secret 0 0 5000\r\n\(value)\r\n")
                try leaving.send(
                    String(repeating: "get secret\r\n", count: 20)
                        + ["quit\r\n", "", "GET / HTTP/1.0\r\n"][round % 3])
                if round % 3 == 1 { leaving.reset() } else if round % 2 == 0 { leaving.close() }
                let next = try daemon.connect()
                try next.ask("mn\r\n", "MN\r\n")
                try next.ask("get nothing\r\n", "END\r\n")
            }
        }
    }

    @Test func quitSendsWhatIsDue() throws {
        try withDaemon("-t", "1") { daemon in
            let wire = try daemon.connect()
            let value = String(repeating: "q", count: 100_000)
            try wire.send(
                "set a 0 0 100000\r\n\(value)\r\n" + String(repeating: "get a\r\n", count: 50)
                    + "quit\r\nget a\r\n")
            let answer = "VALUE a 0 100000\r\n\(value)\r\nEND\r\n"
            #expect(try wire.rest().count == 8 + 50 * answer.utf8.count)
        }
    }
}
