// What the store's tests share.
import Glibc
import Testing

@testable import LarderStore

/// A seeded generator, so that a failure can be played again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// What tests ask of a client, with arrays instead of spans.
extension StoreClient {
    @discardableResult
    func set(
        _ key: [UInt8], _ value: [UInt8], mode: WriteMode = .set, flags: UInt32 = 0, exptime: Moment = .never,
        cas: UInt64? = nil, newCAS: UInt64? = nil
    ) -> WriteOutcome {
        var request = WriteRequest()
        request.mode = mode
        request.clientFlags = flags
        request.exptime = exptime
        request.compareCAS = cas
        request.newCAS = newCAS
        return write(key.span, at: place(key.span), value: value.span, request, now: now)
    }

    /// The value, and the read counted with the policy.
    func get(_ key: [UInt8], counts: Bool = true) -> [UInt8]? {
        switch find(key.span, at: place(key.span), now: now) {
        case .miss: return nil
        case .hit(let item):
            if counts { item.recordAccess(now: now) }
            var reply = ReplyBuffer()
            guard item.appendValue(to: &reply) else { return nil }
            _ = consume item
            let all = reply.drain(self)
            return Array(all.dropLast(2))
        }
    }

    func cas(_ key: [UInt8]) -> UInt64? {
        switch find(key.span, at: place(key.span), now: now) {
        case .miss: nil
        case .hit(let item): item.cas
        }
    }

    func delete(_ key: [UInt8]) -> Bool {
        switch find(key.span, at: place(key.span), now: now) {
        case .miss: return false
        case .hit(let item):
            item.delete()
            return true
        }
    }

    func adjust(_ key: [UInt8], _ delta: UInt64, decrement: Bool = false) -> Adjustment? {
        switch find(key.span, at: place(key.span), now: now) {
        case .miss: return nil
        case .hit(var item): return item.adjust(by: delta, decrement: decrement)
        }
    }

    func reserveAndCommit(_ key: [UInt8], _ value: [UInt8], pieces: Int, mode: WriteMode = .set)
        -> WriteOutcome?
    {
        guard var reservation = reserve(key.span, at: place(key.span), valueLength: value.count) else {
            return nil
        }
        var sent = 0
        while sent < value.count {
            sent += reservation.append(value.span.extracting(sent..<min(value.count, sent + pieces)))
        }
        var request = WriteRequest()
        request.mode = mode
        return commit(reservation, request, now: now)
    }
}

extension StoreClient {
    /// Fills a reservation as a socket does: through its free runs, a piece at a time.
    func reserveAndRead(_ key: [UInt8], _ value: [UInt8], pieces: Int) -> WriteOutcome? {
        guard var reservation = reserve(key.span, at: place(key.span), valueLength: value.count) else {
            return nil
        }
        var sent = 0
        while sent < value.count {
            let runs = reservation.freeRuns()
            guard runs.bytes > 0 else { return nil }
            withUnsafeTemporaryAllocation(of: iovec.self, capacity: FreeRuns.max) { vectors in
                var left = min(pieces, runs.bytes)
                let before = sent
                for v in vectors[0..<runs.fill(vectors.baseAddress!)] {
                    let n = min(left, v.iov_len)
                    _ = value.withUnsafeBytes { memcpy(v.iov_base, $0.baseAddress! + sent, n) }
                    sent += n
                    left -= n
                }
                reservation.markReceived(sent - before)
            }
        }
        return commit(reservation, WriteRequest(), now: now)
    }
}

extension ReplyBuffer {
    /// All bytes, as a socket would get them.
    mutating func drain(_ store: StoreClient) -> [UInt8] {
        var all = [UInt8]()
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: 7) { vectors in
            while !isEmpty {
                let n = fillVectors(vectors.baseAddress!, limit: 7, store: store)
                var sum = 0
                for v in vectors[0..<n] {
                    all += UnsafeRawBufferPointer(start: v.iov_base, count: v.iov_len)
                    sum += v.iov_len
                }
                markSent(sum, store: store)
            }
        }
        reset(store: store)
        return all
    }
}
