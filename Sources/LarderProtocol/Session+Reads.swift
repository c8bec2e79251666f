// get, gets, gat, gats and touch on the store, and the switch that executes one operation.
import LarderStore

extension Session {
    /// Executes the operations of a round in order, rare commands excepted; returns how many, fewer than
    /// `count` when the reply buffer is full.
    mutating func executeRound(
        _ count: Int, _ input: Span<UInt8>, _ turn: inout Turn, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer, shownFrom: Int?
    ) -> Int {
        var replyStart = shownFrom ?? 0
        for i in 0..<count {
            if reply.isFull { return i }
            if !worker.batch[i].bits.contains(.continues) {
                turn.mark = reply.mark
                turn.isSkipping = false
            }
            switch worker.batch[i].kind {
            case .get: executeGet(at: i, input, &turn, &worker, &reply)
            case .store: executeStore(worker.batch[i], input, turn, &worker, &reply)
            default: executeOther(worker.batch[i], input, &turn, &worker, &reply)
            }
            if reply.overflowed { answerOverflow(&turn, &worker, &reply) }
            if shownFrom != nil { show(worker.batch[i], &replyStart, turn, worker, reply) }
        }
        return count
    }

    @inline(never)
    private mutating func executeOther(
        _ operation: Operation, _ input: Span<UInt8>, _ turn: inout Turn, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        switch operation.kind {
        case .get, .store, .command: break
        case .endOfGet:
            if !turn.isSkipping { reply.append("END\r\n") }
        case .refusedGet:
            reply.rollback(to: turn.mark, store: worker.store)
            reply.append(Refusal.badLine.text)
            if operation.number != 0 { enter(.swallowingLine) }
        case .refusal:
            if !operation.bits.contains(.quiet) { reply.append(operation.refusal.text) }
            if operation.number != 0 { enter(.swallowing(Int(truncatingIfNeeded: operation.number))) }
        case .beginStore, .beginMetaSet: beginReceiving(operation, input, &turn, &worker, &reply)
        case .delete: executeDelete(operation, input, turn, &worker, &reply)
        case .touch: executeTouch(operation, input, turn, &worker, &reply)
        case .arithmetic: executeArithmetic(operation, input, turn, &worker, &reply)
        case .metaGet, .metaSet, .metaDelete, .metaArithmetic:
            executeMeta(operation, input, turn, &worker, &reply)
        case .metaDebug: executeMetaDebug(operation, input, turn, &worker, &reply)
        case .metaNoop: reply.append("MN\r\n")
        }
    }

    /// One key of get or gets.
    @inline(__always)
    private func executeGet(
        at i: Int, _ input: Span<UInt8>, _ turn: inout Turn, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        if turn.isSkipping { return }
        let bits = worker.batch[i].bits
        if bits.contains(.touches) {
            return executeGetAndTouch(worker.batch[i], input, &turn, &worker, &reply)
        }
        let key = input.extracting(worker.batch[i].key)
        let fetched = worker.store.fetch(
            key, at: worker.batch[i].place, now: turn.now, withCAS: bits.contains(.withCAS), into: &reply)
        switch fetched.status {
        case .hit:
            if worker.observers != 0 {
                worker.observeFetch(key, miss: nil, slabClass: fetched.slabClass, size: fetched.length)
            }
        case .miss(let miss):
            worker.store.count(.getMisses)
            worker.countMiss(key, miss, isGet: true)
        case .outOfMemory: return answerOverflow(&turn, &worker, &reply)
        }
        if bits.contains(.last) { reply.append("END\r\n") }
    }

    /// One key of gat or gats.
    @inline(never)
    private func executeGetAndTouch(
        _ operation: Operation, _ input: Span<UInt8>, _ turn: inout Turn, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        let store = worker.store
        let key = input.extracting(operation.key)
        var isAnswered = true
        var sighting: Sighting?
        store.count(.cmdGat)
        store.count(.cmdTouch)
        switch store.find(key, at: operation.place, now: turn.now) {
        case .hit(let item):
            item.recordAccess(now: turn.now)
            item.setExptime(operation.exptime)
            reply.appendValueLine(
                key: key, clientFlags: item.clientFlags, length: item.valueLength,
                cas: operation.bits.contains(.withCAS) ? item.cas : nil)
            isAnswered = item.appendValue(to: &reply)
            store.count(.touchHits, slabClass: item.slabClass)
            if worker.observers != 0 { sighting = Sighting(item) }
        case .miss(let miss):
            store.count(.touchMisses)
            worker.countMiss(key, miss, isGet: true)
        }
        if let sighting { worker.observe(key, sighting, isGet: true) }
        // Only now, without the item's lock: values already pinned for this request may be dropped.
        guard isAnswered else { return answerOverflow(&turn, &worker, &reply) }
        if operation.bits.contains(.last) { reply.append("END\r\n") }
    }

    func executeTouch(
        _ operation: Operation, _ input: Span<UInt8>, _ turn: Turn, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        let store = worker.store
        let key = input.extracting(operation.key)
        let isQuiet = operation.bits.contains(.quiet)
        store.count(.cmdTouch)
        var sighting: Sighting?
        switch store.find(key, at: operation.place, now: turn.now) {
        case .hit(let item):
            item.recordAccess(now: turn.now)
            item.setExptime(operation.exptime)
            store.count(.touchHits, slabClass: item.slabClass)
            if worker.observers != 0 { sighting = Sighting(item) }
            if !isQuiet { reply.append("TOUCHED\r\n") }
        case .miss(let miss):
            store.count(.touchMisses)
            worker.countMiss(key, miss)
            if !isQuiet { reply.append("NOT_FOUND\r\n") }
        }
        if let sighting { worker.observe(key, sighting) }
    }

    /// The reply of the current request can't be had in memory: an error takes its place.
    @inline(never)
    func answerOverflow(_ turn: inout Turn, _ worker: inout WorkerContext, _ reply: inout ReplyBuffer) {
        Self.answerNoMemory(turn.mark, &worker, &reply)
        turn.isSkipping = true
    }

    @inline(never)
    static func answerNoMemory(
        _ mark: ReplyBuffer.Mark, _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) {
        reply.refuse(after: mark, "SERVER_ERROR out of memory writing get response\r\n", store: worker.store)
        worker.store.count(.responseOutOfMemory)
    }
}

extension WorkerContext {
    /// What every look-up that finds nothing has in common.
    @inline(__always)
    mutating func countMiss(_ key: Span<UInt8>, _ miss: Miss, isGet: Bool = false) {
        countDeath(miss)
        if observers != 0 { observeFetch(key, miss: miss, slabClass: 0, size: 0, isGet: isGet) }
    }

    /// An item that was found dead.
    @inline(__always)
    func countDeath(_ miss: Miss) {
        switch miss {
        case .notFound: break
        case .expired: store.count(.getExpired)
        case .flushed: store.count(.getFlushed)
        }
    }

    /// Tells observers of a hit, when the item's lock is no longer held.
    @inline(never)
    mutating func observe(_ key: Span<UInt8>, _ sighting: Sighting, isGet: Bool = false) {
        observeFetch(key, miss: nil, slabClass: sighting.slabClass, size: sighting.size, isGet: isGet)
    }
}

/// What observers want to know of an item, noted while it is locked.
struct Sighting {
    let slabClass: UInt8
    let size: Int

    init(_ item: borrowing LockedItem) {
        slabClass = item.slabClass
        size = item.valueLength
    }
}
