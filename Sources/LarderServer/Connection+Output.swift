// Writing replies: straight from the worker's buffer as long as the socket takes them, from a backlog of the
// connection's own when it doesn't. While there is a backlog nothing more is read from that client.
import CSystem
import Glibc
import LarderProtocol
import LarderStore

enum Sent {
    case all, blocked, failed
}

/// `send` that answers a vanished peer with an error instead of a signal.
@inline(__always)
func sendQuietly(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    csys_send(descriptor, bytes, count, Int32(MSG_NOSIGNAL))
}

extension UnsafeMutablePointer where Pointee == Connection {
    /// Sends what the worker's reply buffer holds and empties it, or leaves in it what the socket did not
    /// take.
    @inline(__always)
    func sendReplies() -> Sent {
        let reply = pointee.worker.pointee.reply
        // An answer that is not even there as an error: without it the client would take the next for it.
        if reply.pointee.overflowed { return .failed }
        if reply.pointee.isEmpty {
            // It may still count as full: of an answer that could not be had, and was not wanted.
            reply.pointee.reset(store: pointee.worker.pointee.store)
            // A reset that came with the input was told then, and a send would have found it. Told again, it
            // is found by reading, behind whatever is left to be read.
            let mayHide = !pointee.isSecured && pointee.event.ev_events & Readiness.read != 0
            return mayHide && isReset && !listenAnew() ? .failed : .all
        }
        if pointee.isSecured { return transmitSecurely(reply) }
        let store = pointee.worker.pointee.store
        if let plain = reply.pointee.plain {
            let n = sendQuietly(descriptor, plain.baseAddress!, plain.count)
            if n == plain.count {
                store.count(.bytesWritten, UInt64(n))
                reply.pointee.reset(store: store)
                return .all
            }
            if n > 0 {
                store.count(.bytesWritten, UInt64(n))
                reply.pointee.markSent(n, store: store)
                return .blocked
            }
        }
        return transmit(reply)
    }

    /// Whether the connection is over. Not asked by SO_ERROR, which knows of passing trouble too, and forgets
    /// what it has told.
    private var isReset: Bool {
        var state = pollfd(fd: descriptor, events: 0, revents: 0)
        return poll(&state, 1, 0) > 0
    }

    /// Sends a buffer with pinned values in it, or one that the socket did not take at once.
    private func transmit(_ buffer: UnsafeMutablePointer<ReplyBuffer>) -> Sent {
        if pointee.isSecured { return transmitSecurely(buffer) }
        let worker = pointee.worker
        let store = worker.pointee.store
        while !buffer.pointee.isEmpty {
            let vectors = worker.pointee.vectors
            let count = buffer.pointee.fillVectors(vectors, limit: Worker.vectorCount, store: store)
            var wanted = 0
            for i in 0..<count { wanted += vectors[i].iov_len }
            var message = msghdr()
            message.msg_iov = vectors
            message.msg_iovlen = count
            let n = csys_sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL))
            if n < 0 {
                if errno == EINTR { continue }
                return errno == EAGAIN ? .blocked : .failed
            }
            store.count(.bytesWritten, UInt64(n))
            buffer.pointee.markSent(n, store: store)
            if n < wanted { return .blocked }
        }
        buffer.pointee.reset(store: store)
        return .all
    }

    /// What the event loop has to wait for before a backlog can go on.
    var writeReadiness: Int16 { pointee.isSecured ? tail.pointee.writeReadiness : Readiness.write }

    /// The socket takes more of the backlog; when that is gone, the session goes on with its stashed input.
    func becameWritable() {
        guard let conversation = pointee.conversation, conversation.pointee.hasBacklog else {
            return resume()
        }
        let worker = pointee.worker
        worker.pointee.table.touch(descriptor, now: worker.pointee.store.now.rawValue)
        switch transmit(conversation.pointee.backlog) {
        case .blocked: return listen(for: writeReadiness) ? () : close(.error)
        case .failed: return close(.error)
        case .all: break
        }
        conversation.dropBacklog(store: worker.pointee.store)
        if conversation.pointee.closesAfterBacklog { return close(.normal) }
        enter(.reading)
        resume()
    }
}
