// One client's stream: a small block of checked memory with libevent's event inside. This file makes, closes
// and parks connections; Connection+Input.swift reads and lets the session answer, Connection+Output.swift
// writes.
import Glibc
import LarderProtocol
import LarderStore

/// 168 bytes with libevent's 128, so that malloc's block is 176: an idle connection costs nothing else but
/// its words in libevent's and our tables. What is needed only in the middle of something stands in
/// `Conversation`.
struct Connection: EventHolder {
    var event = Event()
    /// The worker that runs it; nothing else touches it.
    let worker: UnsafeMutablePointer<Worker>
    var conversation: ConversationPointer?
    /// The worker's list of connections; while in a mailbox, the next in there.
    var next: ConnectionPointer?
    var previous: ConnectionPointer?
    /// Whether the worker knows it as authenticated, and whatever else outlives an idle moment.
    var standing = Session.Standing()
    var phase = Phase.reading
    let transport: Transport
    /// It speaks TLS, and a `TLSTail` lies behind it.
    let isSecured: Bool
}

typealias ConnectionPointer = UnsafeMutablePointer<Connection>

/// Why a connection ends, in the words of `watch connevents`.
enum CloseReason: String {
    case normal, error, shutdown
    case idleTimeout = "idle_timeout"
}

/// libevent calls this for every wake-up of a client's socket.
let connectionReady: EventCallback = { _, why, argument in
    let connection = argument!.assumingMemoryBound(to: Connection.self)
    if connection.pointee.phase == .writing {
        connection.pointee.worker.answerWaiting()
        connection.becameWritable()
    } else {
        connection.becameReadable(readsAll: why & Readiness.closed != 0)
    }
}

extension UnsafeMutablePointer where Pointee == Connection {
    /// A connection for an accepted descriptor, not yet known to its worker's loop; nil without memory.
    static func make(
        descriptor: Int32, from listener: Listener, worker: WorkerPointer
    ) -> ConnectionPointer? {
        let isSecured = listener.security != .none
        guard let block = malloc(isSecured ? secureBlockBytes : MemoryLayout<Connection>.size) else {
            return nil
        }
        let connection = block.bindMemory(to: Connection.self, capacity: 1)
        connection.initialize(to: Connection(
            worker: worker, transport: listener.transport, isSecured: isSecured))
        if isSecured { connection.prepareTail(listener.security) }
        // The event keeps the descriptor until the worker assigns it to its loop.
        connection.pointee.event.ev_fd = descriptor
        return connection
    }

    var descriptor: Int32 {
        @inline(__always) get { pointee.event.ev_fd }
    }

    /// Called by the worker: from here on the socket wakes its loop. False: the connection is gone.
    func begin() -> Bool {
        let worker = pointee.worker
        worker.link(self)
        worker.pointee.server.connectionBegins(self)
        if pointee.isSecured { return beginSecurely() }
        if listen(for: Readiness.read) { return true }
        close(.error)
        return false
    }

    /// Makes the loop watch for `readiness`, if it doesn't already. False when the kernel refuses.
    ///
    /// Of input it is told once, when it comes: to be told as long as there is any, the kernel would have to
    /// look at each socket once more after it was read (small 0.99, conns1000 0.96). So whoever is told must
    /// read until a read is short, or see to it that it is told again. Neither would tell of an end that came
    /// with the input: hence `closed`, and see `sendReplies` of a reset. (A read is also short before urgent
    /// data, or behind a descriptor sent along: who sends such things is answered when he sends more.)
    func listen(for readiness: Int16) -> Bool {
        let event = eventPointer
        if pointee.event.ev_events & readiness != 0 { return true }
        if pointee.event.ev_events != 0 { event.remove() }
        let loop = pointee.worker.pointee.loop
        let isPlainInput = readiness == Readiness.read && !pointee.isSecured
        let how = Readiness.persist | (isPlainInput ? Readiness.closed | Readiness.edge : 0)
        let callback = pointee.isSecured ? secureConnectionReady : connectionReady
        loop.assign(event, descriptor, readiness | how, callback, self)
        return event.add()
    }

    /// Makes the loop tell of input again that is there already.
    func listenAnew() -> Bool {
        eventPointer.remove()
        return eventPointer.add()
    }

    func enter(_ phase: Phase) {
        guard pointee.phase != phase else { return }
        pointee.phase = phase
        pointee.worker.pointee.table.setPhase(descriptor, phase)
    }

    /// Ends the connection, whatever it is in the middle of; its memory is gone when this returns.
    func close(_ reason: CloseReason) {
        let worker = pointee.worker
        let descriptor = descriptor
        // An event that was never assigned has no base to be removed from.
        if pointee.event.ev_events != 0 { eventPointer.remove() }
        worker.pointee.server.connectionEnds(self, reason)
        if pointee.isSecured { endStream() }
        worker.pointee.table.clear(descriptor)
        release()
        _ = Glibc.close(descriptor)
    }

    /// Gives back all memory; the descriptor stays open for who has it now.
    func release() {
        let worker = pointee.worker
        worker.forget(self)
        if pointee.phase == .resting { worker.leaveResting(self) }
        worker.unlink(self)
        // The buffers it shared with others: nothing of this client may reach the next one.
        worker.forgetTurn()
        if pointee.conversation?.pointee.holdsSecrets == true { worker.wipeInput() }
        pointee.conversation?.destroy(store: worker.pointee.store)
        free(self)
    }

    /// The conversation, made now if there is none, taking over the worker's session; nil without memory.
    func ensureConversation() -> ConversationPointer? {
        if let conversation = pointee.conversation { return conversation }
        let worker = pointee.worker
        guard let conversation = ConversationPointer.make(taking: worker.pointee.scratch) else { return nil }
        worker.pointee.scratch.initialize(to: Session())
        pointee.conversation = conversation
        return conversation
    }

    /// Called when nothing but `standing` needs to be kept.
    func dropConversation() {
        guard let conversation = pointee.conversation else { return }
        pointee.conversation = nil
        conversation.destroy(store: pointee.worker.pointee.store)
    }
}
