// One thread with one event loop, the connections it serves, and the buffers it lends to whichever of them it
// is serving. Only its own thread touches a worker; others use its mailbox.
import Glibc
import LarderProtocol
import LarderStore
import Synchronization

struct Worker {
    /// Bytes read first: nearly always all there is. Of a long value they are copied into the store; the rest
    /// is read straight into it.
    static let firstRead = 16 << 10
    /// Bytes read behind the part of a long value that goes straight to the store.
    static let behindValue = 16 << 10
    /// Bytes read from one connection before others have their turn.
    static let bytesPerTurn = 256 << 10
    static let vectorCount = 256

    let index: Int
    let loop: EventLoop
    let table: ConnectionTable
    let mailbox: Mailbox
    let server: Server
    let store: StoreClient
    /// Events for the journal; this thread is the only one that leaves any.
    let ring: EventRing
    let context: UnsafeMutablePointer<WorkerContext>
    /// The session of whichever idle connection speaks; nothing but its `standing` outlives the turn.
    let scratch: UnsafeMutablePointer<Session>
    /// The replies of this turn; empty between turns.
    let reply: UnsafeMutablePointer<ReplyBuffer>
    /// Where the next bytes are read, and those of the client whose turn is next, if there is one.
    var reading: UnsafeMutablePointer<ReadAhead>
    var waiting: UnsafeMutablePointer<ReadAhead>
    let vectors: UnsafeMutablePointer<iovec>
    /// Mail, the turn of those that rest, and the sweep of idle connections.
    let events: UnsafeMutablePointer<Event>
    static let eventCount = 3
    /// Where a record is put together out of pieces; nil without TLS.
    let record: UnsafeMutableRawPointer?
    var sampler: LatencySampler

    /// All its connections, latest first.
    var connections: ConnectionPointer?
    /// Those that had their share of a turn and have input left, in order.
    var firstResting: ConnectionPointer?
    var lastResting: ConnectionPointer?
    /// Connections in the middle of a TLS handshake.
    var handshakes = 0
}

typealias WorkerPointer = UnsafeMutablePointer<Worker>

/// Carries a worker to its thread.
struct WorkerRunner: @unchecked Sendable { // nobody else touches the worker until the thread has ended
    let worker: WorkerPointer
    func run() { worker.pointee.loop.run { worker.answerWaiting() } }
}

private let mailArrived: EventCallback = { _, _, argument in
    let worker = argument!.assumingMemoryBound(to: Worker.self)
    worker.answerWaiting()
    worker.readMail()
}
private let turnCame: EventCallback = { _, _, argument in
    let worker = argument!.assumingMemoryBound(to: Worker.self)
    worker.answerWaiting()
    worker.serveResting()
}
private let sweepDue: EventCallback = { _, _, argument in
    let worker = argument!.assumingMemoryBound(to: Worker.self)
    worker.answerWaiting()
    worker.sweepIdle()
}

extension UnsafeMutablePointer where Pointee == Worker {
    /// Everything a worker needs, allocated once; nil when memory or descriptors run out.
    static func make(
        index: Int, server: Server, context: consuming WorkerContext, ring: EventRing
    ) -> WorkerPointer? {
        guard let loop = EventLoop(), let mailbox = Mailbox(), let reading = ReadAhead.make(),
            let waiting = ReadAhead.make()
        else { return nil }
        let store = context.store
        let contextPlace = UnsafeMutablePointer<WorkerContext>.allocate(capacity: 1)
        contextPlace.initialize(to: context)
        let scratch = UnsafeMutablePointer<Session>.allocate(capacity: 1)
        scratch.initialize(to: Session())
        let reply = UnsafeMutablePointer<ReplyBuffer>.allocate(capacity: 1)
        reply.initialize(to: ReplyBuffer(capacity: 16 << 10))
        let events = UnsafeMutablePointer<Event>.allocate(capacity: Worker.eventCount)
        events.initialize(repeating: Event(), count: Worker.eventCount)
        let worker = WorkerPointer.allocate(capacity: 1)
        worker.initialize(to: Worker(
            index: index, loop: loop, table: server.table, mailbox: mailbox, server: server, store: store,
            ring: ring, context: contextPlace, scratch: scratch, reply: reply, reading: reading,
            waiting: waiting,
            vectors: .allocate(capacity: Worker.vectorCount), events: events,
            record: server.tls == nil ? nil : .allocate(byteCount: TLSStream.recordBytes, alignment: 16),
            sampler: LatencySampler(mailbox.latency)))
        guard worker.assignEvents() else { return nil }
        return worker
    }

    private func assignEvents() -> Bool {
        let worker = pointee
        let events = worker.events
        worker.loop.assign(
            events, worker.mailbox.wakeUp.descriptor, Readiness.read | Readiness.persist, mailArrived, self)
        worker.loop.assign(events + 1, -1, 0, turnCame, self)
        worker.loop.assign(events + 2, -1, Readiness.persist, sweepDue, self)
        guard events.add(), (events + 1).holdPlace() else { return false }
        let sweeps = worker.server.settings.idleTimeout > 0 || worker.server.tls != nil
        return !sweeps || (events + 2).add(milliseconds: 1000)
    }

    /// After its thread has ended.
    func destroy() {
        // Clients that came too late to be read from the mailbox.
        readMail()
        while let connection = pointee.connections { connection.close(.shutdown) }
        let worker = pointee
        for i in 0..<Worker.eventCount { (worker.events + i).remove() }
        worker.loop.free()
        worker.reply.pointee.reset(store: worker.store)
        worker.reply.deinitialize(count: 1)
        worker.reply.deallocate()
        worker.scratch.deinitialize(count: 1)
        worker.scratch.deallocate()
        worker.context.deinitialize(count: 1)
        worker.context.deallocate()
        worker.events.deallocate()
        worker.vectors.deallocate()
        worker.reading.destroy()
        worker.waiting.destroy()
        worker.record?.deallocate()
        deinitialize(count: 1)
        deallocate()
    }

    // MARK: Turns

    @inline(__always)
    func beginTurn(_ connection: ConnectionPointer) {
        pointee.mailbox.serving.store(connection.descriptor, ordering: .relaxed)
        pointee.context.pointee.descriptor = connection.descriptor
    }

    @inline(__always)
    func received(_ bytes: Int, _ connection: ConnectionPointer) {
        pointee.store.count(.bytesRead, UInt64(bytes))
        pointee.table.touch(connection.descriptor, now: pointee.store.now.rawValue)
    }

    /// Makes the shared buffers fit for another client.
    func forgetTurn() {
        pointee.reply.pointee.reset(store: pointee.store)
        pointee.scratch.deinitialize(count: 1)
        pointee.scratch.initialize(to: Session())
    }

    /// The connection goes on in the next round of the loop, after whatever became readable meanwhile.
    func rest(_ connection: ConnectionPointer) {
        connection.pointee.conversation!.pointee.nextResting = nil
        if let last = pointee.lastResting {
            last.pointee.conversation!.pointee.nextResting = connection
        } else {
            pointee.firstResting = connection
            _ = (pointee.events + 1).add(milliseconds: 0)
        }
        pointee.lastResting = connection
    }

    func leaveResting(_ connection: ConnectionPointer) {
        var previous: ConnectionPointer?
        var each = pointee.firstResting
        while let current = each {
            let next = current.pointee.conversation!.pointee.nextResting
            if current == connection {
                if let previous {
                    previous.pointee.conversation!.pointee.nextResting = next
                } else {
                    pointee.firstResting = next
                }
                if pointee.lastResting == connection { pointee.lastResting = previous }
                return
            }
            previous = current
            each = next
        }
    }

    func serveResting() {
        var each = pointee.firstResting
        pointee.firstResting = nil
        pointee.lastResting = nil
        while let connection = each {
            each = connection.pointee.conversation!.pointee.nextResting
            connection.enter(.reading)
            connection.resume()
        }
    }

    // MARK: Connections

    func link(_ connection: ConnectionPointer) {
        connection.pointee.previous = nil
        connection.pointee.next = pointee.connections
        pointee.connections?.pointee.previous = connection
        pointee.connections = connection
    }

    func unlink(_ connection: ConnectionPointer) {
        let next = connection.pointee.next
        let previous = connection.pointee.previous
        next?.pointee.previous = previous
        if let previous { previous.pointee.next = next } else { pointee.connections = next }
        connection.pointee.next = nil
        connection.pointee.previous = nil
    }

    func readMail() {
        let mail = pointee.mailbox.collect()
        var each = mail.connections
        while let connection = each {
            each = connection.pointee.next
            _ = connection.begin()
        }
        if mail.orders.contains(.answer) {
            pointee.mailbox.pulse.store(monotonicMicroseconds(), ordering: .relaxed)
        }
        if mail.orders.contains(.stop) {
            while let connection = pointee.connections { connection.close(.shutdown) }
            pointee.loop.stop()
        }
    }

    /// Closes network connections that have been silent for longer than `idle_timeout`, and those whose
    /// client takes too long over its handshake.
    func sweepIdle() {
        let idleTimeout = pointee.server.settings.idleTimeout
        guard idleTimeout > 0 || pointee.handshakes > 0 else { return }
        let now = pointee.store.now.rawValue
        let silence = idleTimeout > 0 ? UInt32(clamping: idleTimeout) : .max
        var each = pointee.connections
        while let connection = each {
            each = connection.pointee.next
            let entry = pointee.table.entry(connection.descriptor)
            let shakesHands = connection.pointee.isSecured && !connection.tail.pointee.isOpen
            let limit = shakesHands ? Swift.min(silence, TLSService.handshakeSeconds) : silence
            // The clock may have moved on in another thread since `now` was read.
            guard connection.pointee.transport == .tcp, now > entry.lastActivity,
                now - entry.lastActivity > limit
            else { continue }
            pointee.server.tally.idleKicks.add(1, ordering: .relaxed)
            connection.close(.idleTimeout)
        }
    }
}
