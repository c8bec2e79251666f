// Reading a client's bytes and letting its session answer them: one read, one write per wake-up, and a second
// read after a short one only where the end may be behind it. What can't be answered now moves into the
// connection's conversation.
import CSystem
import Glibc
import LarderProtocol
import LarderStore

/// How far a call of the session got.
enum Outcome {
    /// Everything complete is answered; the rest, if any, is stashed.
    case waiting
    /// The client must read its replies, or others have their turn first; input is stashed.
    case parked
    case closed
}

/// What one read brought.
enum Fill {
    /// Bytes in the worker's input buffer, stashed ones in front of them; `isFull`: there may be more to
    /// read.
    case bytes(count: Int, got: Int, isFull: Bool)
    case nothing
    case ended
    case failed
}

extension UnsafeMutablePointer where Pointee == Connection {
    /// `readsAll`: a short read is not the last, for the end may be behind it.
    func becameReadable(readsAll: Bool = false) {
        let worker = pointee.worker
        // One that rests has input enough; its turn comes by the worker's timer.
        guard pointee.phase != .resting else { return }
        // Readable again before its turn has come. Whether it still lives then, who knows.
        if worker.pointee.waiting.pointee.connection == self {
            guard listenAnew() else { return close(.error) }
            return worker.answerWaiting()
        }
        var filled = fill(Worker.firstRead)
        if case .bytes(let count, _, false) = filled, pointee.conversation == nil, !pointee.isSecured,
            !readsAll, worker.takeOver(count, from: self)
        {
            return
        }
        worker.answerWaiting()
        worker.beginTurn(self)
        var left = Worker.bytesPerTurn
        while true {
            switch filled {
            case .bytes(let count, let got, let isFull):
                left -= got
                // Before another read there is more to answer: all of it leaves in one write.
                let goesOn = isFull || readsAll
                guard pump(worker.input, count, holdsReplies: goesOn && left > 0) == .waiting else { return }
                if pointee.isSecured, !goesOn || left <= 0 { return leaveTurnSecurely() }
                if !goesOn { return }
                if left <= 0 { return listenAnew() ? () : close(.error) }
            case .nothing:
                wipeCopyOfStash()
                guard worker.pointee.reply.pointee.isEmpty || pumpStash() == .waiting else { return }
                if pointee.isSecured, tail.pointee.wasCutShort { leaveTurnSecurely() }
                return
            case .ended:
                // Held replies are due all the same; a client that doesn't read them is found at its end
                // later.
                if worker.pointee.reply.pointee.isEmpty || pumpStash() == .waiting { close(.normal) }
                return
            case .failed: return close(.error)
            }
            filled = fill(ReadAhead.capacity)
        }
    }

    /// Answers what was read and parsed before.
    func answer(_ reading: UnsafeMutablePointer<ReadAhead>) {
        _ = pump(reading.pointee.bytes, reading.pointee.count, parsed: reading)
    }

    /// Goes on with stashed input: after the backlog is gone, or when the turn of a resting connection has
    /// come.
    func resume() {
        let hasListened = pointee.event.ev_events & Readiness.read != 0
        pointee.worker.beginTurn(self)
        guard pumpStash() == .waiting else { return }
        guard listen(for: Readiness.read) else { return close(.error) }
        if !pointee.isSecured {
            // What came meanwhile has been told, and won't be again.
            if hasListened { becameReadable(readsAll: true) }
        } else if tail.pointee.stream?.hasPending == true {
            becameReadable()
        } else {
            leaveTurnSecurely()
        }
    }

    private func pumpStash() -> Outcome {
        guard let conversation = pointee.conversation else { return pump(nil, 0) }
        let rest = conversation.pointee.stash.map { $0 + conversation.pointee.stashStart }
        return pump(rest, conversation.pointee.stashCount)
    }

    /// Reads at most `most` bytes into the worker's buffer, or a value's next part straight into the store.
    private func fill(_ most: Int) -> Fill {
        if pointee.isSecured { return fillSecurely() }
        let worker = pointee.worker
        let input = worker.input
        var stashed = 0
        if let conversation = pointee.conversation {
            stashed = conversation.pointee.stashCount
            if stashed == 0 {
                if let runs = conversation.pointee.session.pointee.freeRuns(), runs.bytes > 0 {
                    return fill(runs, conversation)
                }
            } else {
                memcpy(input, conversation.pointee.stash! + conversation.pointee.stashStart, stashed)
            }
        }
        let room = ReadAhead.capacity - stashed
        // A session that wants more than a whole buffer before it takes anything can't be served.
        guard room > 0 else { return .failed }
        let wanted = Swift.min(room, most)
        let got = csys_receive(descriptor, input + stashed, wanted)
        guard got > 0 else { return got == 0 ? .ended : Self.failure() }
        worker.received(got, self)
        return .bytes(count: stashed + got, got: got, isFull: got == wanted)
    }

    /// Reads the next part of a long value straight into the store's memory, and what follows it into the
    /// buffer.
    private func fill(_ runs: FreeRuns, _ conversation: ConversationPointer) -> Fill {
        let worker = pointee.worker
        let behind = Worker.behindValue
        let vectors = worker.pointee.vectors
        let count = runs.fill(vectors)
        vectors[count] = iovec(iov_base: worker.input, iov_len: behind)
        let got = csys_readv(descriptor, vectors, Int32(count + 1))
        guard got > 0 else { return got == 0 ? .ended : Self.failure() }
        worker.received(got, self)
        conversation.pointee.session.pointee.markReceived(Swift.min(got, runs.bytes))
        return .bytes(count: Swift.max(0, got - runs.bytes), got: got, isFull: got == runs.bytes + behind)
    }

    private static func failure() -> Fill {
        errno == EAGAIN || errno == EINTR ? .nothing : .failed
    }

    /// Lets the session answer `count` bytes, and carries out what it asks for. `holdsReplies`: the next
    /// call, in this turn, sends them. `parsed`: the bytes' first round has been looked ahead at.
    private func pump(
        _ bytes: UnsafeMutableRawPointer?, _ count: Int, holdsReplies: Bool = false,
        parsed: UnsafeMutablePointer<ReadAhead>? = nil
    ) -> Outcome {
        var parsed = parsed
        let worker = pointee.worker
        let session: UnsafeMutablePointer<Session>
        if let conversation = pointee.conversation {
            session = conversation.pointee.session
        } else {
            session = worker.pointee.scratch
            session.pointee.standing = pointee.standing
        }
        var offset = 0
        var began = parsed?.pointee.began ?? (worker.pointee.sampler.isDue() ? monotonicNanoseconds() : 0)
        while true {
            let rest = UnsafeBufferPointer(
                start: bytes.map { ($0 + offset).assumingMemoryBound(to: UInt8.self) }, count: count - offset)
            let received = session.receive(rest, parsed, worker)
            parsed = nil
            if began != 0 {
                worker.pointee.sampler.record(from: began)
                began = 0
            }
            offset += received.consumed
            let left = count - offset
            let place = bytes.map { $0 + offset }
            switch received.verdict {
            case .needInput:
                if holdsReplies, !worker.pointee.reply.pointee.isFull { return settle(session, place, left) }
                switch sendReplies() {
                case .all: return settle(session, place, left)
                case .blocked: return park(.writing, place, left)
                case .failed: return end(.error)
                }
            // Long answers to a client that reads fast: others have their turn in between.
            case .flush: return giveWay(place, left)
            case .yield: return giveWay(place, left)
            case .pause(let milliseconds):
                wipe(place, received.consumed)
                switch sendReplies() {
                case .all: return pause(milliseconds, place, left)
                case .blocked: return park(.writing, place, left)
                case .failed: return end(.error)
                }
            case .close: return closeAfterReplies()
            case .abort: return end(.error)
            case .effect(.wipeInput): wipe(place, received.consumed)
            case .effect(let effect):
                if carryOut(effect, session) { continue }
                return .closed
            }
        }
    }

    /// Sends what there is; the session goes on when others have had their turn.
    private func giveWay(_ rest: UnsafeMutableRawPointer?, _ count: Int) -> Outcome {
        switch sendReplies() {
        case .all: park(.resting, rest, count)
        case .blocked: park(.writing, rest, count)
        case .failed: end(.error)
        }
    }

    /// Everything complete is answered and sent: keeps what must be kept, if anything.
    @inline(__always)
    private func settle(
        _ session: UnsafeMutablePointer<Session>, _ rest: UnsafeMutableRawPointer?, _ count: Int
    ) -> Outcome {
        if count == 0, session.pointee.isIdle {
            pointee.standing = session.pointee.standing
            if pointee.conversation != nil {
                dropConversation()
                enter(.reading)
            }
            return .waiting
        }
        guard let conversation = ensureConversation(), conversation.keep(rest, count) else {
            return endWithoutMemory()
        }
        enter(conversation.pointee.session.pointee.isIdle && !holdsLine(rest, count) ? .reading : .receiving)
        if pointee.worker.pointee.server.doorkeeper != nil { guardSecrets(conversation, rest, count) }
        return .waiting
    }

    /// Whether a whole command line is among the bytes: then it is its value that is waited for.
    private func holdsLine(_ bytes: UnsafeMutableRawPointer?, _ count: Int) -> Bool {
        guard let bytes else { return false }
        return memchr(bytes, 10, count) != nil
    }

    /// Stops reading until the backlog is sent, or until the others had their turn.
    private func park(_ phase: Phase, _ rest: UnsafeMutableRawPointer?, _ count: Int) -> Outcome {
        let worker = pointee.worker
        guard let conversation = ensureConversation(), conversation.keep(rest, count) else {
            return endWithoutMemory(saysSo: phase != .writing)
        }
        if phase == .writing {
            guard let unsent = worker.pointee.reply.pointee.takeUnsent(store: worker.pointee.store) else {
                return endWithoutMemory(saysSo: false)
            }
            conversation.takeBacklog(unsent)
        }
        enter(phase)
        if phase == .resting { worker.rest(self) }
        if listen(for: phase == .writing ? writeReadiness : Readiness.read) { return .parked }
        return end(.error)
    }

    private func closeAfterReplies() -> Outcome {
        switch sendReplies() {
        case .all: return end(.normal)
        case .failed: return end(.error)
        case .blocked: break
        }
        guard park(.writing, nil, 0) == .parked else { return .closed }
        pointee.conversation!.pointee.closesAfterBacklog = true
        return .parked
    }

    func end(_ reason: CloseReason) -> Outcome {
        close(reason)
        return .closed
    }

    /// The client learns why, if the socket takes it; not in the middle of an answer, whose rest it would
    /// seem.
    func endWithoutMemory(saysSo: Bool = true) -> Outcome {
        let text: StaticString = "SERVER_ERROR out of memory\r\n"
        if saysSo, !pointee.isSecured { _ = sendQuietly(descriptor, text.utf8Start, text.utf8CodeUnitCount) }
        pointee.worker.pointee.store.count(.readBufferOutOfMemory)
        return end(.error)
    }

    /// False when the connection is no longer this worker's.
    private func carryOut(_ effect: Effect, _ session: UnsafeMutablePointer<Session>) -> Bool {
        let worker = pointee.worker
        let server = worker.pointee.server
        switch effect {
        case .watch(let kinds):
            // The rest of an answer would be lost, and a watcher's lines stand in its place.
            guard sendReplies() == .all else {
                close(.error)
                return false
            }
            return !server.becomesWatcher(self, kinds)
        case .shutdown(let graceful):
            _ = sendReplies()
            server.requestStop(graceful ? .graceful : .normal)
            close(.normal)
            return false
        case .setVerbosity(let level):
            server.setVerbosity(level)
            return true
        case .refreshCertificates:
            worker.pointee.reply.pointee.append(server.refreshCertificates())
            return true
        case .wipeInput: return true
        }
    }
}

extension UnsafeMutablePointer where Pointee == Session {
    /// `Session.receive` with what the worker lends to it.
    @inline(__always)
    fileprivate func receive(
        _ input: UnsafeBufferPointer<UInt8>, _ parsed: UnsafeMutablePointer<ReadAhead>?,
        _ worker: WorkerPointer
    ) -> Session.Received {
        guard let parsed else {
            return pointee.receive(
                input.span, &worker.pointee.context.pointee, &worker.pointee.reply.pointee)
        }
        return pointee.receive(
            input.span, &parsed.pointee.ahead, &worker.pointee.context.pointee,
            &worker.pointee.reply.pointee)
    }
}
