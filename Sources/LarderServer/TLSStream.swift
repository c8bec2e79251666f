// One connection's TLS, as OpenSSL does it: reading and writing that never wait, and say in which direction
// the socket has to become ready.
import COpenSSL
import Glibc

/// The server's end. Used by one thread at a time; whoever holds it ends it.
struct TLSStream: @unchecked Sendable { // a watcher's moves to another thread; never used by two at once
    /// Bytes of the largest record.
    static let recordBytes = 16 << 10
    /// Messages of TLS's own, such as new keys, that are taken from one connection in a turn.
    static let messagesPerTurn = 16

    private let connection: OpaquePointer

    init(_ connection: OpaquePointer) { self.connection = connection }

    enum Outcome {
        /// So many bytes; for a handshake: it is over.
        case done(Int)
        case wantsRead, wantsWrite
        /// From `read`: messages of TLS's own were taken, and nothing for us. There may be more at once.
        case again
        /// The client has said that this is the end; `isGone`: it is gone without a word.
        case ended(isGone: Bool)
        /// Nothing but `end` may follow. OpenSSL keeps the error for the thread, and would find it again when
        /// another connection has to wait: take it, forget it or end at once.
        case failed(isProtocol: Bool)
    }

    func handshake() -> Outcome { outcome(ossl_handshake(connection)) }

    func read(_ bytes: UnsafeMutableRawPointer, _ count: Int) -> Outcome {
        outcome(ossl_read(connection, bytes, Int32(clamping: count)))
    }

    /// Writes a record at most. After `wantsRead` or `wantsWrite` the next call must bring the same bytes,
    /// and no fewer, wherever they are by then.
    func write(_ bytes: UnsafeRawPointer, _ count: Int) -> Outcome {
        outcome(ossl_write(connection, bytes, Int32(clamping: count)))
    }

    @inline(__always)
    private func outcome(_ result: Int32) -> Outcome {
        result > 0 ? .done(Int(result)) : trouble(result)
    }

    private func trouble(_ result: Int32) -> Outcome {
        switch ossl_why(connection, result) {
        case OSSL_WANTS_READ: return .wantsRead
        case OSSL_WANTS_WRITE: return .wantsWrite
        case OSSL_AGAIN:
            // Who sends such messages in numbers would have hundreds of them taken by one call.
            ossl_no_read_ahead(connection)
            return .again
        case OSSL_ENDED: return .ended(isGone: false)
        case OSSL_GONE:
            ossl_forget_errors()
            return .ended(isGone: true)
        case OSSL_FAULT: return .failed(isProtocol: true)
        default: return .failed(isProtocol: false)
        }
    }

    /// Bytes have come from the socket that nobody has read yet: no event will tell of them.
    var hasPending: Bool { ossl_has_pending(connection) == 1 }

    var isResumed: Bool { ossl_was_resumed(connection) == 1 }

    /// What the last failure was about, in words.
    func takeError() -> String { TLSContext.takeError() }

    func forgetError() { ossl_forget_errors() }

    /// Gives everything back. `politely`: the peer is told, unless its socket takes nothing more.
    consuming func end(politely: Bool) {
        if politely { ossl_shutdown(connection) }
        ossl_free(connection)
        ossl_forget_errors()
    }
}
