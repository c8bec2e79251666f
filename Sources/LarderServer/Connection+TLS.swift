// A connection that speaks TLS: what it has beside a plain one, its handshake, and reading and writing
// through OpenSSL. Everything else, from the session to the back-pressure, is the same.
import Glibc
import LarderProtocol
import LarderStore

/// Lies behind a connection in its block of memory, of those that speak TLS only.
struct TLSTail {
    /// nil until the worker begins, and once a watcher has taken it over.
    var stream: TLSStream?
    let security: ListenerSecurity
    /// The handshake is over.
    var isOpen = false
    /// How it ended, if it did: there is nothing more to read, though what was read is still answered.
    var end: CloseReason?
    /// Nobody is there to be told goodbye.
    var isGone = false
    /// The last turn ended at messages of TLS's own: more may wait where no loop sees it.
    var wasCutShort = false
    /// What a reply that was not taken waits for. Nearly always to write.
    var writeReadiness = Readiness.write
}

/// libevent calls this for every wake-up of a client's socket that speaks TLS.
let secureConnectionReady: EventCallback = { _, _, argument in
    let connection = argument!.assumingMemoryBound(to: Connection.self)
    connection.pointee.worker.answerWaiting()
    if !connection.tail.pointee.isOpen {
        connection.shakeHands()
    } else if connection.pointee.phase == .writing {
        connection.becameWritable()
    } else {
        connection.becameReadable()
    }
}

extension UnsafeMutablePointer where Pointee == Connection {
    /// Bytes of a block with room for the tail.
    static var secureBlockBytes: Int { MemoryLayout<Connection>.stride + MemoryLayout<TLSTail>.size }

    /// Only of connections that are `isSecured`.
    var tail: UnsafeMutablePointer<TLSTail> {
        (UnsafeMutableRawPointer(self) + MemoryLayout<Connection>.stride)
            .assumingMemoryBound(to: TLSTail.self)
    }

    func prepareTail(_ security: ListenerSecurity) {
        (UnsafeMutableRawPointer(self) + MemoryLayout<Connection>.stride)
            .bindMemory(to: TLSTail.self, capacity: 1).initialize(to: TLSTail(security: security))
    }

    // MARK: The beginning and the end

    /// Called by the worker; the client has the first word.
    func beginSecurely() -> Bool {
        let worker = pointee.worker
        if let stream = worker.pointee.server.tls?.stream(on: descriptor, tail.pointee.security) {
            tail.pointee.stream = stream
            worker.pointee.handshakes += 1
            if listen(for: Readiness.read) { return true }
        }
        close(.error)
        return false
    }

    fileprivate func shakeHands() {
        guard let stream = tail.pointee.stream else { return close(.error) }
        let tls = pointee.worker.pointee.server.tls
        switch stream.handshake() {
        case .done:
            tail.pointee.isOpen = true
            pointee.worker.pointee.handshakes -= 1
            if !stream.isResumed { tls?.newSessions.add(1, ordering: .relaxed) }
            guard listen(for: Readiness.read) else { return close(.error) }
            // The first request may have come with the last words of the handshake.
            if stream.hasPending { becameReadable() } else { acknowledgeAtOnce() }
        case .wantsRead, .again: if !listen(for: Readiness.read) { close(.error) }
        case .wantsWrite: if !listen(for: Readiness.write) { close(.error) }
        case .ended: close(.normal)
        case .failed(let isProtocol):
            tls?.handshakeErrors.add(1, ordering: .relaxed)
            tell(isProtocol)
            close(.error)
        }
    }

    /// The client has had the last word, and one that lets small writes wait for an acknowledgement (Nagle's
    /// algorithm) holds its first request back: 40 ms, if it had to wait until the kernel has something to
    /// send along.
    private func acknowledgeAtOnce() {
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_QUICKACK, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Those who watch connections, or read the log at -vv, learn what went wrong.
    private func tell(_ isProtocol: Bool) {
        guard let stream = tail.pointee.stream else { return }
        let system = errno
        pointee.worker.pointee.server.connectionFaults(self) {
            isProtocol ? stream.takeError() : system == 0 ? "closed by the client" : errorText(system)
        }
        stream.forgetError()
    }

    /// Before the descriptor is closed.
    func endStream() {
        guard let stream = tail.pointee.stream else { return }
        tail.pointee.stream = nil
        if !tail.pointee.isOpen { pointee.worker.pointee.handshakes -= 1 }
        stream.end(politely: tail.pointee.isOpen && tail.pointee.end != .error && !tail.pointee.isGone)
    }

    // MARK: ReadAhead

    /// As `fill` for plain connections: straight into the store's memory if a long value is arriving, else
    /// into the worker's buffer behind what is stashed.
    func fillSecurely() -> Fill {
        let worker = pointee.worker
        let vectors = worker.pointee.vectors
        let input = worker.input
        var count = 0
        var stashed = 0
        var runs: FreeRuns?
        if let conversation = pointee.conversation {
            stashed = conversation.pointee.stashCount
            if stashed > 0 {
                memcpy(input, conversation.pointee.stash! + conversation.pointee.stashStart, stashed)
            } else {
                runs = conversation.pointee.session.pointee.freeRuns()
                count = runs?.fill(vectors) ?? 0
            }
        }
        let direct = runs?.bytes ?? 0
        let room = direct > 0 ? Worker.behindValue : ReadAhead.capacity - stashed
        guard room > 0 else { return .failed }
        vectors[count] = iovec(iov_base: input + stashed, iov_len: room)
        let got = receive(vectors, count + 1)
        guard got > 0 else {
            switch tail.pointee.end {
            case nil: return .nothing
            case .normal: return .ended
            default: return .failed
            }
        }
        worker.received(got, self)
        if direct > 0 {
            pointee.conversation?.pointee.session.pointee.markReceived(Swift.min(got, direct))
        }
        return .bytes(
            count: stashed + Swift.max(0, got - direct), got: got, isFull: got == direct + room)
    }

    /// Decrypts into the pieces of memory, one after the other, as far as the socket's bytes go. A last
    /// record that is not full ends it, so that the usual request costs one read.
    private func receive(_ vectors: UnsafeMutablePointer<iovec>, _ count: Int) -> Int {
        guard let stream = tail.pointee.stream, tail.pointee.end == nil else { return 0 }
        tail.pointee.wasCutShort = false
        var messages = 0
        var total = 0
        var index = 0
        var offset = 0
        while index < count {
            let vector = vectors[index]
            guard offset < vector.iov_len, let base = vector.iov_base else {
                index += 1
                offset = 0
                continue
            }
            switch stream.read(base + offset, vector.iov_len - offset) {
            case .done(let bytes):
                total += bytes
                offset += bytes
                if bytes < TLSStream.recordBytes, !stream.hasPending { return total }
            case .wantsRead: return total
            case .again:
                messages += 1
                guard messages < TLSStream.messagesPerTurn else {
                    tail.pointee.wasCutShort = true
                    return total
                }
            case .wantsWrite:
                // An answer of TLS's own is stuck: read again when it is gone.
                if !listen(for: Readiness.write) { tail.pointee.end = .error }
                return total
            case .ended(let isGone):
                tail.pointee.end = .normal
                tail.pointee.isGone = isGone
                return total
            case .failed(let isProtocol):
                tail.pointee.end = .error
                if isProtocol {
                    pointee.worker.pointee.server.tls?.protocolErrors.add(1, ordering: .relaxed)
                }
                tell(isProtocol)
                return total
            }
        }
        return total
    }

    /// After a turn whose input was answered: what OpenSSL holds back wakes no loop, nor does an end that the
    /// client has announced and not yet carried out.
    func leaveTurnSecurely() {
        if let reason = tail.pointee.end { return close(reason) }
        if pointee.event.ev_events & Readiness.read == 0, tail.pointee.stream?.hasPending == false {
            if !listen(for: Readiness.read) { close(.error) }
            return
        }
        guard tail.pointee.stream?.hasPending == true else { return }
        guard ensureConversation() != nil else { return close(.error) }
        enter(.resting)
        pointee.worker.rest(self)
    }

    // MARK: Writing

    /// As `transmit` for plain connections, a record at a time.
    func transmitSecurely(_ buffer: UnsafeMutablePointer<ReplyBuffer>) -> Sent {
        guard let stream = tail.pointee.stream else { return .failed }
        let store = pointee.worker.pointee.store
        while !buffer.pointee.isEmpty {
            let record = nextRecord(buffer)
            switch stream.write(record.baseAddress!, record.count) {
            case .done(let bytes):
                store.count(.bytesWritten, UInt64(bytes))
                buffer.pointee.markSent(bytes, store: store)
            case .wantsRead, .again:
                tail.pointee.writeReadiness = Readiness.read
                return .blocked
            case .wantsWrite:
                tail.pointee.writeReadiness = Readiness.write
                return .blocked
            case .ended, .failed:
                tail.pointee.end = .error
                return .failed
            }
        }
        buffer.pointee.reset(store: store)
        return .all
    }

    /// The next 16 KiB of the replies, or all if they are fewer: always the same ones until they are sent,
    /// as OpenSSL demands. Gathered from their places where no piece alone is enough.
    private func nextRecord(_ buffer: UnsafeMutablePointer<ReplyBuffer>) -> UnsafeRawBufferPointer {
        if let plain = buffer.pointee.plain {
            return UnsafeRawBufferPointer(rebasing: plain.prefix(TLSStream.recordBytes))
        }
        let worker = pointee.worker
        let vectors = worker.pointee.vectors
        let count = buffer.pointee.fillVectors(
            vectors, limit: Worker.vectorCount, store: worker.pointee.store)
        if vectors[0].iov_len >= TLSStream.recordBytes {
            return UnsafeRawBufferPointer(start: vectors[0].iov_base, count: TLSStream.recordBytes)
        }
        let record = worker.pointee.record!
        var filled = 0
        for i in 0..<count where filled < TLSStream.recordBytes {
            let bytes = Swift.min(vectors[i].iov_len, TLSStream.recordBytes - filled)
            memcpy(record + filled, vectors[i].iov_base, bytes)
            filled += bytes
        }
        return UnsafeRawBufferPointer(start: record, count: filled)
    }
}
