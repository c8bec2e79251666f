// Storage commands, delete, incr and decr on the store. Classic replies; the meta spellings are in
// Session+Meta.
import LarderStore

extension Session {
    /// A classic storage command whose value is whole in the input.
    @inline(__always)
    func executeStore(
        _ operation: Operation, _ input: Span<UInt8>, _ turn: borrowing Turn, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        let key = input.extracting(operation.key)
        let length = Int(operation.valueLength)
        let outcome: WriteOutcome
        let fits = worker.store.fits(keyLength: key.count, valueLength: length)
        // The size is complained of first, as memcached does before it has seen the value.
        if !fits {
            outcome = WriteOutcome(.tooLarge)
        } else if operation.bits.contains(.badChunk) {
            if !operation.bits.contains(.quiet) { reply.append(Refusal.badChunk.text) }
            return
        } else {
            if worker.observers != 0 {
                worker.observeFetchBeforeStore(key, at: operation.place, now: turn.now)
            }
            outcome = worker.store.write(
                key, at: operation.place, value: input.extracting(operation.value), operation.writeRequest,
                now: turn.now)
        }
        if outcome.status == .outOfMemory || !fits, operation.mode == .set {
            worker.store.discardOld(key, at: operation.place)
        }
        worker.countWrite(
            key, operation.mode, comparesCAS: operation.bits.contains(.withCAS), outcome, fits: fits,
            exptime: operation.exptime, length: length)
        if !operation.bits.contains(.quiet) {
            Self.answer(outcome, valueFits: fits, &reply)
        }
    }

    /// The classic reply to a storage command.
    @inline(__always)
    static func answer(_ outcome: WriteOutcome, valueFits: Bool, _ reply: inout ReplyBuffer) {
        switch outcome.status {
        case .stored: reply.append("STORED\r\n")
        case .notStored: reply.append("NOT_STORED\r\n")
        case .exists: reply.append("EXISTS\r\n")
        case .notFound: reply.append("NOT_FOUND\r\n")
        // An append whose own value fits was not stored because the sum doesn't.
        case .tooLarge where valueFits: reply.append("NOT_STORED\r\n")
        case .tooLarge: reply.append(Refusal.tooLarge.text)
        case .outOfMemory: reply.append(Refusal.outOfMemory.text)
        }
    }

    func executeDelete(
        _ operation: Operation, _ input: Span<UInt8>, _ turn: Turn, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        let store = worker.store
        let key = input.extracting(operation.key)
        let isQuiet = operation.bits.contains(.quiet)
        switch store.find(key, at: operation.place, now: turn.now) {
        case .hit(let item):
            store.count(.deleteHits, slabClass: item.slabClass)
            let sighting = Sighting(item)
            item.delete()
            if worker.observers != 0 {
                worker.observe(key, sighting)
                worker.observeDelete(
                    key, .delete, wasFound: true, slabClass: sighting.slabClass, size: sighting.size)
            }
            if !isQuiet { reply.append("DELETED\r\n") }
        case .miss(let miss):
            store.count(.deleteMisses)
            worker.countMiss(key, miss)
            if worker.observers != 0 {
                worker.observeDelete(key, .delete, wasFound: false, slabClass: 0, size: 0)
            }
            if !isQuiet { reply.append("NOT_FOUND\r\n") }
        }
    }

    func executeArithmetic(
        _ operation: Operation, _ input: Span<UInt8>, _ turn: Turn, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        let store = worker.store
        let key = input.extracting(operation.key)
        let isQuiet = operation.bits.contains(.quiet)
        let decrement = operation.bits.contains(.decrement)
        var sighting: Sighting?
        switch store.find(key, at: operation.place, now: turn.now) {
        case .hit(var item):
            if worker.observers != 0 { sighting = Sighting(item) }
            let slabClass = item.slabClass
            let result = item.adjust(by: operation.number, decrement: decrement, newCAS: nil)
            if case .value = result { store.count(decrement ? .decrHits : .incrHits, slabClass: slabClass) }
            if isQuiet { break }
            switch result {
            case .value(let value):
                reply.append(decimal: value)
                reply.append("\r\n")
            case .nonNumeric:
                reply.append("CLIENT_ERROR cannot increment or decrement non-numeric value\r\n")
            case .outOfMemory: reply.append("SERVER_ERROR out of memory\r\n")
            }
        case .miss(let miss):
            store.count(decrement ? .decrMisses : .incrMisses)
            worker.countMiss(key, miss)
            if !isQuiet { reply.append("NOT_FOUND\r\n") }
        }
        if let sighting { worker.observe(key, sighting) }
    }
}

extension Operation {
    /// What a classic storage operation asks of the store.
    @inline(__always)
    var writeRequest: WriteRequest {
        var request = WriteRequest()
        request.mode = mode
        request.clientFlags = clientFlags
        request.exptime = exptime
        if bits.contains(.withCAS) { request.compareCAS = number }
        return request
    }
}

extension WorkerContext {
    /// What every storage command adds to the statistics, and to what observers see.
    mutating func countWrite(
        _ key: Span<UInt8>, _ mode: WriteMode, comparesCAS: Bool, _ outcome: WriteOutcome, fits: Bool,
        exptime: Moment, length: Int
    ) {
        switch outcome.status {
        case .tooLarge:
            if fits { store.count(.cmdSet, slabClass: 0) } else { store.count(.storeTooLarge) }
        case .outOfMemory: store.count(.storeNoMemory)
        default: store.count(.cmdSet, slabClass: outcome.slabClass)
        }
        if comparesCAS {
            switch outcome.status {
            case .stored: store.count(.casHits, slabClass: outcome.slabClass)
            case .exists: store.count(.casBadval, slabClass: outcome.slabClass)
            case .notFound: store.count(.casMisses)
            default: break
            }
        }
        if observers != 0 {
            observeStore(
                key, outcome.status, Self.command(mode, comparesCAS: comparesCAS), exptime: exptime,
                slabClass: outcome.slabClass, size: length)
        }
    }

    private static func command(_ mode: WriteMode, comparesCAS: Bool) -> StoreCommand {
        switch mode {
        case .set: comparesCAS ? .cas : .set
        case .add: .add
        case .replace: comparesCAS ? .cas : .replace
        case .append: .append
        case .prepend: .prepend
        }
    }
}
