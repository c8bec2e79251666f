// Taking in clients: the main thread accepts, refuses what is over the limit, and deals the rest out to the
// workers. When descriptors run out it pauses instead of spinning.
import CSystem
import Glibc
import LarderStore
import Synchronization

/// Runs on the main thread's loop; only that thread touches it.
final class Acceptor {
    /// Connections taken at one wake-up of one listener.
    private static let acceptsPerTurn = 64
    private static let pauseMilliseconds = 10
    private static let pauseMillisecondsMax = 160

    /// libevent's argument for a listener: which one, and whose.
    private struct Slot: EventHolder {
        var event = Event()
        let listener: Listener
        unowned(unsafe) let acceptor: Acceptor
    }

    private let server: Server
    private let loop: EventLoop
    private var slots: [UnsafeMutablePointer<Slot>] = []
    private let pauseTimer: UnsafeMutablePointer<Event>
    private var pausedSince: UInt64?
    private var pauseLength = Acceptor.pauseMilliseconds
    private var nextWorker = 0

    init(server: Server, loop: EventLoop, listeners: [Listener]) {
        self.server = server
        self.loop = loop
        pauseTimer = .allocate(capacity: 1)
        pauseTimer.initialize(to: Event())
        loop.assign(pauseTimer, -1, 0, Self.pauseEnded, Unmanaged.passUnretained(self).toOpaque())
        for listener in listeners where listener.transport != .udp {
            let slot = UnsafeMutablePointer<Slot>.allocate(capacity: 1)
            slot.initialize(to: Slot(listener: listener, acceptor: self))
            loop.assign(
                slot.eventPointer, listener.descriptor, Readiness.read | Readiness.persist, Self.clientWaits,
                slot)
            slots.append(slot)
        }
    }

    func start() -> Bool {
        for slot in slots {
            let listener = slot.pointee.listener
            let entry = ConnectionTable.Entry(.listening, listener.transport, lastActivity: server.now)
            server.table.set(listener.descriptor, entry)
            noteHighest(listener.descriptor)
        }
        return pauseTimer.holdPlace() && slots.allSatisfy { $0.eventPointer.add() }
    }

    func stop() {
        pauseTimer.remove()
        for slot in slots { slot.eventPointer.remove() }
    }

    func free() {
        pauseTimer.deallocate()
        for slot in slots { slot.deallocate() }
        slots = []
    }

    // MARK: Callbacks

    private static let clientWaits: EventCallback = { _, _, argument in
        let slot = argument!.assumingMemoryBound(to: Slot.self)
        slot.pointee.acceptor.accept(slot.pointee.listener)
    }

    private static let pauseEnded: EventCallback = { _, _, argument in
        Unmanaged<Acceptor>.fromOpaque(argument!).takeUnretainedValue().tryAgain()
    }

    private var isFull: Bool {
        server.tally.current.load(ordering: .relaxed) >= server.settings.maxConnections
    }

    private func accept(_ listener: Listener) {
        for _ in 0..<Self.acceptsPerTurn {
            if isFull, !server.settings.maxconnsFast { return pause() }
            var peer = sockaddr_storage()
            let descriptor = csys_accept(listener.descriptor, &peer)
            if descriptor < 0 {
                switch errno {
                case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                    server.log.info("can't accept connections now: \(errorText())")
                    return pause()
                case EAGAIN: return
                // The client is gone already; others may wait behind it.
                default: continue
                }
            }
            pauseLength = Self.pauseMilliseconds
            if isFull || Int(descriptor) >= server.table.capacity {
                refuse(descriptor, listener, "ERROR Too many open connections\r\n")
            } else {
                deal(descriptor, listener)
            }
        }
    }

    private func refuse(_ descriptor: Int32, _ listener: Listener, _ text: StaticString) {
        // Before the client learns of it: it may ask.
        server.tally.rejected.add(1, ordering: .relaxed)
        // To a client that speaks TLS it would be noise.
        if listener.security == .none {
            _ = sendQuietly(descriptor, text.utf8Start, text.utf8CodeUnitCount)
        }
        _ = close(descriptor)
    }

    private func deal(_ descriptor: Int32, _ listener: Listener) {
        let worker = server.workers[nextWorker]
        nextWorker = (nextWorker + 1) % server.workers.count
        let made = ConnectionPointer.make(descriptor: descriptor, from: listener, worker: worker)
        guard let connection = made else {
            return refuse(descriptor, listener, "SERVER_ERROR out of memory\r\n")
        }
        noteHighest(descriptor)
        server.tally.current.add(1, ordering: .relaxed)
        server.tally.total.add(1, ordering: .relaxed)
        let entry = ConnectionTable.Entry(.reading, listener.transport, lastActivity: server.now)
        server.table.set(descriptor, entry)
        worker.pointee.mailbox.post(connection)
    }

    /// Only this thread writes it.
    private func noteHighest(_ descriptor: Int32) {
        if descriptor > server.tally.highestDescriptor.load(ordering: .relaxed) {
            server.tally.highestDescriptor.store(descriptor, ordering: .relaxed)
        }
    }

    // MARK: Pauses

    private func pause() {
        guard pausedSince == nil else { return }
        for slot in slots { slot.eventPointer.remove() }
        pausedSince = monotonicMicroseconds()
        server.tally.isAccepting.store(false, ordering: .relaxed)
        server.tally.pauses.add(1, ordering: .relaxed)
        _ = pauseTimer.add(milliseconds: pauseLength)
        if !isFull { pauseLength = min(pauseLength * 2, Self.pauseMillisecondsMax) }
    }

    private func tryAgain() {
        if isFull, !server.settings.maxconnsFast {
            _ = pauseTimer.add(milliseconds: Self.pauseMilliseconds)
            return
        }
        if let pausedSince {
            server.tally.pausedMicroseconds.add(monotonicMicroseconds() - pausedSince, ordering: .relaxed)
        }
        pausedSince = nil
        server.tally.isAccepting.store(true, ordering: .relaxed)
        for slot in slots where !slot.eventPointer.add() {
            server.log.error("can't watch a listener: \(errorText())")
            return pause()
        }
    }
}
