// What a connection does about passwords: waits before it hears that one was wrong, and leaves none in
// memory.
import Glibc
import LarderProtocol
import LarderStore

private let pauseOver: EventCallback = { _, why, argument in
    let connection = argument!.assumingMemoryBound(to: Connection.self)
    connection.pointee.worker.answerWaiting()
    // Who doesn't wait for the answer gives its place to others.
    if why & Readiness.closed != 0 { return connection.close(.normal) }
    connection.enter(.reading)
    connection.resume()
}

extension UnsafeMutablePointer where Pointee == Connection {
    /// Reads nothing for a while, then goes on with the bytes not consumed.
    func pause(_ milliseconds: Int, _ rest: UnsafeMutableRawPointer?, _ count: Int) -> Outcome {
        guard let conversation = ensureConversation(), conversation.keep(rest, count) else {
            return endWithoutMemory()
        }
        guardSecrets(conversation, rest, count)
        enter(.pausing)
        let event = eventPointer
        if pointee.event.ev_events != 0 { event.remove() }
        // The kernel tells of a reset too, which libevent hands on to readers and writers only: without the
        // edge it would be told again and again until the pause is over.
        let readiness = Readiness.closed | Readiness.edge
        pointee.worker.pointee.loop.assign(event, descriptor, readiness, pauseOver, self)
        return event.add(milliseconds: milliseconds) ? .parked : end(.error)
    }

    /// Wipes the `count` bytes before `place`, which held a password, and what is left of them in the stash
    /// they came from.
    func wipe(_ place: UnsafeMutableRawPointer?, _ count: Int) {
        guard let place else { return }
        explicit_bzero(place - count, count)
        guard let conversation = pointee.conversation, let stash = conversation.pointee.stash,
            place < stash || place > stash + conversation.pointee.stashCapacity
        else { return }
        conversation.wipeStash()
    }

    /// The stash was copied to the input buffer for a rest that did not come, and the buffer may be the
    /// other one when it does.
    func wipeCopyOfStash() {
        guard let conversation = pointee.conversation, conversation.pointee.holdsSecrets else { return }
        explicit_bzero(pointee.worker.input, conversation.pointee.stashCount)
    }

    /// What was kept of a client that has not logged in is kept in one place only.
    func guardSecrets(
        _ conversation: ConversationPointer, _ rest: UnsafeMutableRawPointer?, _ count: Int
    ) {
        conversation.pointee.holdsSecrets =
            !conversation.pointee.session.pointee.standing.isAuthenticated
        guard conversation.pointee.holdsSecrets, let rest, count > 0 else { return }
        let input = pointee.worker.input
        if rest >= input, rest < input + ReadAhead.capacity { explicit_bzero(rest, count) }
    }
}
