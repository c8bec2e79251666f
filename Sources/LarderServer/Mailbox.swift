// How other threads give a worker something to do: new connections and orders, left under a lock, and a ring
// to wake it.
import Glibc
import Synchronization

/// A worker's mailbox. It lies apart from the worker's own state, which no other thread touches.
final class Mailbox: @unchecked Sendable { // `letters` is guarded by `lock`
    struct Orders: OptionSet {
        let rawValue: UInt8
        /// Close everything and end.
        static let stop = Orders(rawValue: 1)
        /// Stamp the time, as a sign of life.
        static let answer = Orders(rawValue: 2)
    }

    private struct Letters {
        var connections: ConnectionPointer?
        var orders: Orders = []
    }

    let wakeUp: WakeUp
    /// The descriptor whose requests the worker is answering right now, for `stats conns`.
    let serving = Atomic<Int32>(-1)
    /// When the worker last answered (see Heartbeat).
    let pulse = Atomic<UInt64>(0)
    /// How long its commands took.
    let latency = LatencyHistogram()
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private var letters = Letters()

    init?() {
        guard let wakeUp = WakeUp() else { return nil }
        self.wakeUp = wakeUp
        lock = .allocate(capacity: 1)
        lock.initialize(to: pthread_mutex_t())
        pthread_mutex_init(lock, nil)
    }

    deinit {
        wakeUp.close()
        latency.free()
        pthread_mutex_destroy(lock)
        lock.deallocate()
    }

    func post(_ connection: ConnectionPointer) {
        change { letters in
            connection.pointee.next = letters.connections
            letters.connections = connection
        }
    }

    func post(_ orders: Orders) {
        change { $0.orders.formUnion(orders) }
    }

    private func change(_ body: (inout Letters) -> Void) {
        pthread_mutex_lock(lock)
        let wasEmpty = letters.connections == nil && letters.orders.isEmpty
        body(&letters)
        pthread_mutex_unlock(lock)
        if wasEmpty { wakeUp.ring() }
    }

    /// Empties the box: a list of connections linked by `next`, latest first, and the orders.
    func collect() -> (connections: ConnectionPointer?, orders: Orders) {
        wakeUp.answer()
        pthread_mutex_lock(lock)
        let taken = letters
        letters = Letters()
        pthread_mutex_unlock(lock)
        return (taken.connections, taken.orders)
    }
}
