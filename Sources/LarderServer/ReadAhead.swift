// What was read from one client, and the turns of a worker's clients: the answer to a few short requests
// waits until the next client's have been read and parsed, or until nobody is left to be read. See
// `Lookahead` for what that brings.
import Glibc
import LarderProtocol
import LarderStore

/// A worker has two, by turns: one is read into, the other waits.
struct ReadAhead: ~Copyable {
    static let capacity = 64 << 10

    let bytes: UnsafeMutableRawPointer
    var count = 0
    /// Whose bytes they are, while they wait. Nothing else happens to a connection that waits: whatever could
    /// is preceded by `Worker.answerWaiting`.
    var connection: ConnectionPointer?
    var ahead = Lookahead()
    /// When they were read, if it is to be recorded how long the answer takes.
    var began: UInt64 = 0

    /// Nil without memory.
    static func make() -> UnsafeMutablePointer<ReadAhead>? {
        guard let bytes = malloc(capacity) else { return nil }
        let reading = UnsafeMutablePointer<ReadAhead>.allocate(capacity: 1)
        reading.initialize(to: ReadAhead(bytes: bytes))
        return reading
    }

    private init(bytes: UnsafeMutableRawPointer) { self.bytes = bytes }
}

extension UnsafeMutablePointer where Pointee == ReadAhead {
    func destroy() {
        free(pointee.bytes)
        deinitialize(count: 1)
        deallocate()
    }
}

extension UnsafeMutablePointer where Pointee == Worker {
    /// Where the next bytes are read to.
    var input: UnsafeMutableRawPointer { pointee.reading.pointee.bytes }

    /// Takes over the `count` bytes in `input`, from a client that is between two requests: answers who
    /// waits, then lets this one wait, or answers it too. False if they can't be looked ahead at.
    func takeOver(_ count: Int, from connection: ConnectionPointer) -> Bool {
        let reading = pointee.reading
        let bytes = UnsafeBufferPointer(
            start: reading.pointee.bytes.assumingMemoryBound(to: UInt8.self), count: count)
        guard
            pointee.context.pointee.lookAhead(
                bytes.span, connection.pointee.standing, &reading.pointee.ahead)
        else { return false }
        reading.pointee.began = pointee.sampler.isDue() ? monotonicNanoseconds() : 0
        answerWaiting()
        pointee.context.pointee.prefetchItems(&reading.pointee.ahead)
        reading.pointee.count = count
        guard reading.pointee.ahead.isShort else {
            answer(connection, reading)
            return true
        }
        reading.pointee.connection = connection
        swap(&pointee.reading, &pointee.waiting)
        return true
    }

    /// Answers who waits, if anybody does.
    @inline(__always)
    func answerWaiting() {
        let waiting = pointee.waiting
        guard let connection = waiting.pointee.connection else { return }
        waiting.pointee.connection = nil
        answer(connection, waiting)
    }

    private func answer(_ connection: ConnectionPointer, _ reading: UnsafeMutablePointer<ReadAhead>) {
        beginTurn(connection)
        connection.answer(reading)
    }

    /// Who waits is closed before its turn has come.
    func forget(_ connection: ConnectionPointer) {
        if pointee.waiting.pointee.connection == connection { pointee.waiting.pointee.connection = nil }
    }

    /// Clears what was read and is done with: it may have been a password.
    func wipeInput() {
        explicit_bzero(input, ReadAhead.capacity)
        let waiting = pointee.waiting
        let kept = waiting.pointee.connection == nil ? 0 : waiting.pointee.count
        explicit_bzero(waiting.pointee.bytes + kept, ReadAhead.capacity - kept)
    }
}
