// A long value that arrives in pieces: it goes straight into the memory it will live in, and is committed at
// its end.
import LarderStore

/// A storage command whose value is on its way. Dropping it gives the memory back.
struct Receiving: ~Copyable {
    var reservation: Reservation
    let request: WriteRequest
    let isMeta: Bool
    /// Whether a success is answered.
    let isQuiet: Bool
    /// What the reply repeats of a command line that is gone by then.
    var echo: MetaEcho
}

/// The key and the return flags of a storage command, kept while its value arrives.
struct MetaEcho {
    var key = InlineArray<250, UInt8>(repeating: 0)
    var keyLength = 0
    var isBinaryKey = false
    var opaque = InlineArray<32, UInt8>(repeating: 0)
    var opaqueLength = 0
    /// Return flags in the order they were asked for, the first in the lowest byte.
    var order: UInt64 = 0

    init(key bytes: Span<UInt8>) {
        keyLength = min(bytes.count, key.count)
        for i in 0..<keyLength { key[i] = bytes[i] }
    }

    /// Notes what of the flags the reply will need.
    mutating func note(_ input: Span<UInt8>, _ flags: Range<Int>) {
        var words = Words(flags)
        var shift: UInt64 = 0
        while let word = words.next(in: input) {
            let letter = input[word.lowerBound]
            switch letter {
            case Flag.opaque:
                opaqueLength = min(word.count, opaque.count)
                for i in 0..<opaqueLength { opaque[i] = input[word.lowerBound + i] }
            case Flag.key, Flag.cas, Flag.size: break
            default: continue
            }
            order |= UInt64(letter) << shift
            shift += 8
        }
    }

    /// The return flags in their order, and the end of the line.
    func append(_ outcome: WriteOutcome, length: Int, to reply: inout ReplyBuffer) {
        var order = order
        while order != 0 {
            switch UInt8(truncatingIfNeeded: order) {
            case Flag.opaque:
                reply.append(byte: 0x20)
                reply.append(opaque.span.extracting(0..<opaqueLength))
            case Flag.key:
                Session.appendKey(key.span.extracting(0..<keyLength), isBinary: isBinaryKey, &reply)
            case Flag.cas: reply.append(flag: Flag.cas, outcome.cas)
            default: reply.append(flag: Flag.size, UInt64(truncatingIfNeeded: length))
            }
            order >>= 8
        }
        reply.append("\r\n")
    }
}

extension Session {
    /// Starts to receive the value of `operation`, whose line has just been read; or refuses it.
    mutating func beginReceiving(
        _ operation: Operation, _ input: Span<UInt8>, _ turn: inout Turn, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        guard operation.kind == .beginMetaSet else {
            let key = input.extracting(operation.key)
            return reserve(
                MetaEcho(key: key), key, operation.place, operation, operation.writeRequest,
                isQuiet: operation.bits.contains(.quiet), isMeta: false, &worker, &reply)
        }
        worker.flags.read(input, operation, leadingWords: 3, now: turn.now, worker.options)
        let flags = worker.flags
        guard flags.fault == .none else { return refuseValue(operation, flags.fault.text, &reply) }
        guard let request = flags.writeRequest else {
            return refuseValue(operation, "CLIENT_ERROR invalid mode for ms M token\r\n", &reply)
        }
        if flags.hasLongOpaque { return refuseValue(operation, Self.longOpaque, &reply) }
        if flags.has(Flag.base64) {
            var scratch = DecodedKey(repeating: 0)
            guard let length = Base64.decode(input.extracting(operation.key), into: &scratch) else {
                return refuseValue(operation, MetaFault.badKey.text, &reply)
            }
            let key = scratch.span.extracting(0..<length)
            var echo = MetaEcho(key: key)
            echo.isBinaryKey = true
            echo.note(input, operation.flags)
            reserve(
                echo, key, worker.store.place(key), operation, request, isQuiet: flags.has(Flag.quiet),
                isMeta: true, &worker, &reply)
        } else {
            let key = input.extracting(operation.key)
            var echo = MetaEcho(key: key)
            echo.note(input, operation.flags)
            reserve(
                echo, key, operation.place, operation, request, isQuiet: flags.has(Flag.quiet), isMeta: true,
                &worker, &reply)
        }
    }

    private mutating func reserve(
        _ echo: MetaEcho, _ key: Span<UInt8>, _ place: KeyPlace, _ operation: Operation,
        _ request: WriteRequest, isQuiet: Bool, isMeta: Bool, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        let length = Int(operation.valueLength)
        if worker.store.fits(keyLength: key.count, valueLength: length) {
            let reservation = worker.store.reserve(
                key, at: place, valueLength: length, choosesCAS: request.newCAS != nil)
            if let reservation {
                enter(
                    .receiving(
                        Receiving(
                            reservation: reservation, request: request, isMeta: isMeta, isQuiet: isQuiet,
                            echo: echo)))
                return
            }
        }
        // Rather nothing than an old value the client believes to have replaced.
        if isMeta || request.mode == .set { worker.store.discardOld(key, at: place) }
        let fits = worker.store.fits(keyLength: key.count, valueLength: length)
        worker.countWrite(
            key, request.mode, comparesCAS: false, WriteOutcome(fits ? .outOfMemory : .tooLarge), fits: fits,
            exptime: request.exptime, length: length)
        enter(.swallowing(length + 2))
        if isQuiet, !isMeta { return }
        reply.append(fits ? Refusal.outOfMemory.text : Refusal.tooLarge.text)
    }

    private mutating func refuseValue(
        _ operation: Operation, _ text: StaticString, _ reply: inout ReplyBuffer
    ) {
        reply.append(text)
        enter(.swallowing(Int(operation.valueLength) + 2))
    }

    /// Takes what has come of the value; when it is whole, stores and answers it. A verdict while it isn't.
    mutating func continueReceiving(
        _ receiving: consuming Receiving, _ input: Span<UInt8>, _ turn: inout Turn,
        _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> Verdict? {
        if !receiving.reservation.isComplete {
            turn.position += receiving.reservation.append(input.extracting(turn.position..<input.count))
        }
        guard receiving.reservation.isComplete, input.count - turn.position >= 2 else {
            enter(.receiving(receiving))
            return .needInput
        }
        let isWhole = input[turn.position] == 0x0D && input[turn.position + 1] == 0x0A
        turn.position += 2
        turn.mark = reply.mark
        if isWhole {
            finishReceiving(receiving, turn, &worker, &reply)
        } else if receiving.isMeta || !receiving.isQuiet {
            reply.append(Refusal.badChunk.text)
        }
        if reply.overflowed { answerOverflow(&turn, &worker, &reply) }
        return nil
    }

    private func finishReceiving(
        _ receiving: consuming Receiving, _ turn: Turn, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        let (request, echo) = (receiving.request, receiving.echo)
        let (isMeta, isQuiet) = (receiving.isMeta, receiving.isQuiet)
        let length = receiving.reservation.valueLength
        if worker.observers != 0 {
            let key = echo.key.span.extracting(0..<echo.keyLength)
            worker.observeFetchBeforeStore(key, at: worker.store.place(key), now: turn.now)
        }
        let outcome = worker.store.commit(receiving.takeReservation(), request, now: turn.now)
        let key = echo.key.span.extracting(0..<echo.keyLength)
        worker.countWrite(
            key, request.mode, comparesCAS: request.comparesAsCAS, outcome, fits: true,
            exptime: request.exptime,
            length: length)
        if outcome.status == .outOfMemory, isMeta || request.mode == .set {
            worker.store.discardOld(key, at: worker.store.place(key))
        }
        if isMeta {
            guard Self.answerMetaSet(outcome, request, fits: true, isQuiet: isQuiet, &reply) else { return }
            echo.append(outcome, length: outcome.lengthNow(request, length), to: &reply)
        } else if !isQuiet {
            Self.answer(outcome, valueFits: true, &reply)
        }
    }
}

extension Receiving {
    consuming func takeReservation() -> Reservation { reservation }
}
