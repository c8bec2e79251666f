// The end under load: it comes at once, and what was sent before it is whole as far as it goes.
import Foundation
import Testing

@Suite struct EndTests {
    @Test func endsUnderLoad() throws {
        for round in 0..<(Surroundings.isLong ? 30 : 3) {
            let daemon = try Daemon(["-t", "4", "-m", "64"])
            let value = String(repeating: "e", count: 5000)
            try daemon.connect().ask("set e 7 0 5000\r\n\(value)\r\n", "STORED\r\n")
            let answer = Array("VALUE e 7 5000\r\n\(value)\r\nEND\r\nSTORED\r\n".utf8)
            let talk = Array(String(repeating: "get e\r\nset s 0 0 3\r\nabc\r\n", count: 5000).utf8)
            let clients = try (0..<8).map { _ in Hose(try daemon.connect(), talk) }
            for client in clients { Thread.detachNewThread { client.run() } }
            let observer = try daemon.connect()
            try wait(for: "load") { Int(try observer.stats()["bytes_written"] ?? "") ?? 0 > 4 << 20 }
            Clock.pass(Double(round % 5) * 0.03)
            let start = Clock.now
            daemon.process.signal(SIGTERM)
            #expect(try daemon.process.waitForEnd() == .exited(0))
            let took = Clock.now - start
            if Surroundings.sanitizer == nil { #expect(took < 0.5, "it took \(took) s") }
            daemon.expectNoReport()
            for client in clients {
                client.finished.wait()
                let got = client.received
                // A beginning of what it was to get: nothing left out, nothing else in between.
                var expected: [UInt8] = []
                expected.reserveCapacity(got.count + answer.count)
                while expected.count < got.count { expected += answer }
                #expect(memcmp(got, expected, got.count) == 0, "round \(round): a wrong answer")
            }
        }
    }

    /// Sends and reads on a thread of its own until the daemon is gone.
    private final class Hose: @unchecked Sendable {  // `received` is read after `finished`
        let wire: Wire
        let talk: [UInt8]
        let finished = DispatchSemaphore(value: 0)
        private(set) var received: [UInt8] = []

        init(_ wire: Wire, _ talk: [UInt8]) {
            self.wire = wire
            self.talk = talk
        }

        func run() {
            try? wire.send(talk, upTo: 60)
            received = (try? wire.rest(upTo: 60)) ?? []
            finished.signal()
        }
    }
}
