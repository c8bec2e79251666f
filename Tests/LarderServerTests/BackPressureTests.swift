// Clients that ask for much and don't read must cost little and disturb nobody.
import Foundation
import Testing

@Suite struct BackPressureTests {
    /// Sends until the daemon stops taking or all is sent; true if the daemon stopped.
    private func pour(_ wire: Wire, _ bytes: [UInt8], quietSeconds: Double = 0.5) throws -> Bool {
        var sent = 0, last = Clock.now
        while sent < bytes.count {
            let count = try wire.push(bytes[sent...])
            sent += count
            if count > 0 { last = Clock.now } else if Clock.now - last > quietSeconds { return true }
            if count == 0 { usleep(1000) }
        }
        return false
    }

    @Test(arguments: [1000, 20_000, 1_000_000]) func hundredMegabytesNobodyReads(_ size: Int) throws {
        try withDaemon("-t", "1") { daemon in
            let other = try daemon.connect()
            try other.ask("set v 0 0 \(size)\r\n\(String(repeating: "v", count: size))\r\n", "STORED\r\n")
            try other.ask(
                "get v\r\n", "VALUE v 0 \(size)\r\n\(String(repeating: "v", count: size))\r\nEND\r\n")
            let before = try daemon.settledResidentBytes()
            let wires = try (0..<4).map { _ in try daemon.connect(receiveBuffer: 4096) }
            for wire in wires {
                let count = 100_000_000 / size
                let talk = size < 2000 ? "get v v v v v v v v v v\r\n" : "get v\r\n"
                _ = try pour(wire, Array(String(repeating: talk, count: count).utf8), quietSeconds: 0.2)
            }
            var slowest = 0.0
            for _ in 0..<200 {
                let start = Clock.now
                try other.ask("mn\r\n", "MN\r\n")
                try other.ask("get none\r\n", "END\r\n")
                slowest = max(slowest, Clock.now - start)
            }
            let growth = daemon.residentBytes - before
            if Surroundings.sanitizer == nil {
                #expect(growth < 12 << 20, "four clients that don't read cost \(growth >> 10) KiB")
                #expect(slowest < 1, "the other client waited \(slowest) s")
            }
            // One of them starts to read after all: it gets what it asked for, in order.
            let answer = "VALUE v 0 \(size)\r\n".utf8.count + size + 2
            let first = try wires[0].bytes(answer * 3)
            #expect(first.starts(with: Array("VALUE v 0 \(size)\r\n".utf8)))
        }
    }

    @Test func oneLongMultigetNobodyReads() throws {
        try withDaemon("-t", "1", "-m", "128") { daemon in
            let other = try daemon.connect()
            let value = String(repeating: "v", count: 50_000)
            for index in 0..<1000 {
                try other.tell("set k\(index) 0 0 50000 noreply\r\n\(value)\r\n")
            }
            let before = try daemon.settledResidentBytes()
            let wire = try daemon.connect(receiveBuffer: 4096)
            let keys = (0..<1000).map { "k\($0)" }.joined(separator: " ")
            _ = try pour(wire, Array("get \(keys)\r\n".utf8))
            // While it hangs, everything it was promised is deleted and written anew.
            for index in 0..<1000 {
                try other.tell("delete k\(index) noreply\r\nset k\(index) 0 0 3 noreply\r\nnew\r\n")
            }
            let growth = daemon.residentBytes - before
            if Surroundings.sanitizer == nil {
                #expect(growth < 8 << 20, "a stalled multiget costs \(growth >> 10) KiB")
            }
            for index in 0..<1000 {
                let head = try wire.line().split(separator: " ")
                guard head.count == 4, head[1] == "k\(index)", let length = Int(head[3]) else {
                    throw Trouble("\(head) where k\(index) should be")
                }
                let body = try wire.bytes(length + 2)
                #expect(
                    length == 3
                        || (length == 50_000 && body.allSatisfy { $0 == 0x76 || $0 == 13 || $0 == 10 }))
            }
            try wire.expect("END\r\n")
        }
    }

    /// Announcing a large value must not cost anybody else's items: memory is taken as the bytes come.
    @Test func announcementsTakeNoMemory() throws {
        try withDaemon("-m", "32") { daemon in
            let reader = try daemon.connect()
            for index in 0..<1000 { try reader.tell("set keep\(index) 0 0 4 noreply\r\nhere\r\n") }
            let wires = try (0..<300).map { _ in try daemon.connect() }
            for wire in wires { try wire.send("set big 0 0 1000000\r\nabc") }
            for wire in wires.prefix(1) { wire.close() }
            for index in 0..<1000 {
                try reader.ask("get keep\(index)\r\n", "VALUE keep\(index) 0 4\r\nhere\r\nEND\r\n")
            }
            #expect(try reader.stats()["evictions"] == "0")
        }
    }

    /// `-R`: someone who pipelines without end doesn't keep others of the same worker waiting.
    @Test func pipelinesLeaveRoomForOthers() throws {
        try withDaemon("-t", "1") { daemon in
            let greedy = try daemon.connect(), modest = try daemon.connect()
            try greedy.ask("set a 0 0 10\r\n0123456789\r\n", "STORED\r\n")
            let requests = Array(String(repeating: "get a\r\n", count: 200_000).utf8)
            let done = DispatchSemaphore(value: 0)
            let carrier = Carrier(greedy)
            Thread.detachNewThread {
                try? carrier.wire.send(requests, upTo: 60)
                done.signal()
            }
            var slowest = 0.0
            while done.wait(timeout: .now()) == .timedOut {
                let start = Clock.now
                try modest.ask("get none\r\n", "END\r\n")
                slowest = max(slowest, Clock.now - start)
            }
            if Surroundings.sanitizer == nil { #expect(slowest < 0.5, "waited \(slowest) s") }
        }
    }

    /// Hands a connection to the one thread that uses it from then on.
    private struct Carrier: @unchecked Sendable {
        let wire: Wire
        init(_ wire: Wire) { self.wire = wire }
    }
}
