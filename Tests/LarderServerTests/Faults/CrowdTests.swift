// More clients than there is room for, clients that stall, clients that vanish: those who behave are served
// as if the others weren't there.
import Foundation
import Testing

@Suite(.serialized) struct CrowdTests {
    private static let full = "ERROR Too many open connections"

    /// Exactly N are served, the next is told why not, and whoever leaves makes room.
    @Test(arguments: [1, 8, 128]) func exactlySoMany(_ limit: Int) throws {
        try withDaemon("-c", String(limit), "-t", "4") { daemon in
            var wires: [Wire] = []
            for _ in 0..<limit {
                let wire = try daemon.connect()
                try wire.ask("mn\r\n", "MN\r\n")
                wires.append(wire)
            }
            for _ in 0..<10 {
                let wire = try daemon.connect()
                #expect(try wire.line() == Self.full)
                #expect(try wire.isClosed())
            }
            for wire in wires { try wire.tell("set a 0 0 1 noreply\r\nx\r\n") }
            #expect(try wires[0].stats()["rejected_connections"] == "10")
            let leaving = max(1, limit / 10)
            for wire in wires.suffix(leaving) { wire.close() }
            wires.removeLast(leaving)
            var refused = 0
            for _ in 0..<leaving {
                try wait(for: "room") {
                    let wire = try daemon.connect()
                    // Were it refused while we send, the line might be lost to a reset.
                    guard try wire.stays() else {
                        refused += 1
                        return false
                    }
                    try wire.ask("mn\r\n", "MN\r\n")
                    wires.append(wire)
                    return true
                }
            }
            #expect(try daemon.connect().line() == Self.full)
            #expect(try wires[0].stats()["rejected_connections"] == String(11 + refused))
        }
    }

    /// The kernel gives no more descriptors: those connected are served, the others wait without costing
    /// anything, and are served once there are descriptors again.
    @Test func outOfDescriptors() throws {
        if Surroundings.sanitizer == "thread" { return }
        try withDaemon("-t", "2") { daemon in
            let first = try daemon.connect()
            try first.ask("set a 0 0 1\r\nx\r\n", "STORED\r\n")
            try daemon.limit("nofile", to: "\(daemon.openDescriptors + 5)")
            let wires = try (0..<30).map { _ in try daemon.connect() }
            for wire in wires { try wire.send("get a\r\n") }
            Clock.pass(0.3)
            let before = daemon.processorSeconds
            let start = Clock.now
            while Clock.now < start + 1 {
                try first.ask("get a\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n")
                Clock.pass(0.01)
            }
            let used = daemon.processorSeconds - before
            print("out of descriptors: \(used) s of processor time in 1 s")
            if Surroundings.sanitizer == nil { #expect(used < 0.25) }
            #expect(try Int(first.stats()["listen_disabled_num"] ?? "") ?? 0 > 0)
            // Some leave: their descriptors are used for others.
            for wire in wires.prefix(3) { wire.close() }
            // And then there are enough again.
            try daemon.limit("nofile", to: "1000")
            for wire in wires.dropFirst(3) { try wire.expect("VALUE a 0 1\r\nx\r\nEND\r\n") }
            #expect(try first.stats()["accepting_conns"] == "1")
        }
    }

    /// How long `count` small requests take, one after the other: the 99th percentile, and the worst.
    private func latency(_ wire: Wire, _ count: Int) throws -> (p99: Double, worst: Double) {
        var times: [Double] = []
        for _ in 0..<count {
            let start = Clock.now
            try wire.ask("get a\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n")
            times.append(Clock.now - start)
        }
        times.sort()
        return (times[count * 99 / 100], times[count - 1])
    }

    /// The quietest of five series: what else the machine does shows in some of them, a daemon that makes its
    /// clients wait in all.
    private func latencyAtBest(_ wire: Wire, _ count: Int) throws -> (p99: Double, worst: Double) {
        try (0..<5).map { _ in try latency(wire, count) }.min { $0.p99 < $1.p99 }!
    }

    /// Megabytes asked for by a hundred clients that don't read.
    @Test func aHundredStalledReaders() throws {
        try withDaemon("-m", "128", "-t", "2") { daemon in
            let healthy = try daemon.connect()
            try healthy.ask("set a 0 0 1\r\nx\r\n", "STORED\r\n")
            let value = String(repeating: "v", count: 900_000)
            for index in 0..<10 {
                try healthy.ask("set v\(index) 0 0 900000\r\n\(value)\r\n", "STORED\r\n")
            }
            let small = String(repeating: "s", count: 1000)
            try healthy.ask("set s 0 0 1000\r\n\(small)\r\n", "STORED\r\n")
            let count = Surroundings.isLong ? 20_000 : 1000
            let before = try latencyAtBest(healthy, count)
            let memory = daemon.ownBytes
            let wires = try (0..<100).map { _ in try daemon.connect(receiveBuffer: 4096) }
            for (index, wire) in wires.enumerated() {
                let long = String(repeating: "get v\(index % 10) v\((index + 3) % 10)\r\n", count: 5)
                let short = String(repeating: "get" + String(repeating: " s", count: 100) + "\r\n", count: 80)
                _ = try wire.push(Array((index % 2 == 0 ? long : short).utf8)[...])
            }
            Clock.pass(0.3)
            let during = try latencyAtBest(healthy, count)
            let growth = daemon.ownBytes - memory
            func micros(_ seconds: Double) -> Int { Int(seconds * 1e6) }
            print(
                "a hundred stalled readers: p99 \(micros(before.p99)) -> \(micros(during.p99)) us, worst",
                "\(micros(before.worst)) -> \(micros(during.worst)) us, \(growth >> 10) KiB more")
            if Surroundings.sanitizer == nil {
                #expect(during.p99 < max(before.p99 * 3, 0.002))
                #expect(growth < 100 * (300 << 10))
            }
            // They may read after all.
            for index in [0, 2, 98] {
                let expected = "VALUE v\(index % 10) 0 900000\r\n\(value)\r\n"
                #expect(try wires[index].bytes(expected.utf8.count) == Array(expected.utf8))
            }
            for wire in wires { wire.reset() }
        }
    }

    /// Who is silent, or stalls, or sent half a request is let go; who sends a byte now and then is not.
    @Test func idleTimeout() throws {
        try withDaemon("-o", "idle_timeout=2", "-t", "2") { daemon in
            let slow = try (0..<10).map { _ in try daemon.connect() }
            let value = String(repeating: "v", count: 500_000)
            try slow[0].ask("set v 0 0 500000\r\n\(value)\r\n", "STORED\r\n")
            let silent = try (0..<10).map { _ in try daemon.connect() }
            let half = try (0..<10).map { _ in try daemon.connect() }
            for wire in half { try wire.send("set h 0 0 100000\r\nabc") }
            let stalled = try (0..<10).map { _ in try daemon.connect(receiveBuffer: 4096) }
            for wire in stalled {
                _ = try wire.push(Array(String(repeating: "get v\r\n", count: 20).utf8)[...])
            }
            let talk = Array("set slow 0 0 10\r\n0123456789\r\nget slow\r\n".utf8)
            for byte in talk {
                for wire in slow { try wire.send([byte]) }
                Clock.pass(0.1)
            }
            for wire in slow {
                try wire.expect("STORED\r\nVALUE slow 0 10\r\n0123456789\r\nEND\r\n")
                try wire.ask("mn\r\n", "MN\r\n")
            }
            try wait(upTo: 1.5, for: "the others to be let go") { try slow[0].connections() == 10 }
            for wire in silent + half { #expect(try wire.isClosed(upTo: 1)) }
            // What they were sent is all there is; then the connection ends.
            for wire in stalled { #expect(try wire.rest(upTo: 5).count < 20 * 500_000) }
        }
    }
}

extension Wire {
    /// Whether nothing comes for a moment: neither a word nor the end.
    fileprivate func stays() throws -> Bool {
        var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&ready, 1, 30) == 0
    }

    fileprivate func connections() throws -> Int { Int(try stats()["curr_connections"] ?? "") ?? -1 }
}
