// Who counts as hung: the decision alone, without threads.
import Testing

@testable import LarderServer

@Suite struct HeartbeatTests {
    private func silent(_ stamps: [UInt64], now: UInt64) -> [String] {
        let pulses = stamps.enumerated().map { Pulse(name: "t\($0.offset)", stamp: $0.element) }
        return Heartbeat.silent(pulses, now: now, patience: 100)
    }

    @Test func whoAnsweredInTimeIsAlive() {
        #expect(silent([1000, 901, 900], now: 1000).isEmpty)
    }

    @Test func whoDidNotIsNamed() {
        #expect(silent([1000, 899, 1000, 0], now: 1000) == ["t1", "t3"])
    }

    /// Stamped by its thread after the clock was read.
    @Test func aStampFromTheFutureIsASignOfLife() {
        #expect(silent([1200], now: 1000).isEmpty)
    }
}
