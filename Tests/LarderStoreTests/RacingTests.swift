// Several threads on one small store: no torn, foreign or lost value, and the books balance afterwards. Also
// run under the thread and the address sanitizer.
import Glibc
import Synchronization
import Testing

@testable import LarderStore

/// Runs `body` on `count` threads at once.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    final class Job: Sendable {
        let index: Int
        let body: @Sendable (Int) -> Void
        init(_ index: Int, _ body: @escaping @Sendable (Int) -> Void) {
            self.index = index
            self.body = body
        }
    }
    var threads = [pthread_t]()
    for i in 0..<count {
        var thread = pthread_t()
        let job = Unmanaged.passRetained(Job(i, body)).toOpaque()
        pthread_create(
            &thread, nil,
            { argument in
                let job = Unmanaged<Job>.fromOpaque(argument!).takeRetainedValue()
                job.body(job.index)
                return nil
            }, job)
        threads.append(thread)
    }
    for thread in threads { pthread_join(thread, nil) }
}

@Suite(.serialized) struct RacingTests {
    @Test func valuesStayWholeUnderEvictionMovesAndFlushes() throws {
        var options = StoreOptions()
        options.memoryLimit = 3 << 20
        options.clients = 4
        let store = try Store(options)
        let wrong = Atomic<Int>(0)
        let isOver = Atomic<Bool>(false)
        onThreads(5) { thread in
            if thread == 4 {
                var moment: UInt32 = 10
                while !isOver.load(ordering: .relaxed) {
                    moment += 1
                    store.setClock(Moment(moment))
                    store.housekeep()
                    usleep(2000)
                }
                return
            }
            let client = store.client(thread)
            var random = SplitMix(UInt64(thread) + 77)
            for step in 0..<6_000 {
                let id = Int.random(in: 0..<800, using: &random)
                let key = bytes("r\(id)")
                switch Int.random(in: 0..<20, using: &random) {
                case 0..<8:
                    let length =
                        16 + Int.random(in: 0..<(1 << Int.random(in: 3..<16, using: &random)), using: &random)
                    let exptime = step % 4 == 0 ? Moment(client.now.rawValue + 3) : .never
                    client.set(key, ModelTests.stamped(id, UInt64(step), length), exptime: exptime)
                case 8: _ = client.delete(key)
                case 9:
                    _ = client.reserveAndCommit(
                        key,
                        ModelTests.stamped(id, UInt64(step), 16 + Int.random(in: 0..<50_000, using: &random)),
                        pieces: 5000)
                case 10 where step % 500 == 0: client.flushAll()
                default:
                    guard let value = client.get(key) else { continue }
                    let version = value[8..<16].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                    if !ModelTests.isStamped(value, id, version) { wrong.add(1, ordering: .relaxed) }
                }
            }
            if thread == 0 { isOver.store(true, ordering: .relaxed) }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
        #expect(store.brokenInvariants() == [])
    }

    @Test func noIncrementIsLostAndOneRacerVivifies() throws {
        var options = StoreOptions()
        options.memoryLimit = 4 << 20
        options.clients = 4
        let store = try Store(options)
        let created = Atomic<Int>(0)
        store.client(0).set(bytes("n"), bytes("0"))
        onThreads(4) { thread in
            let client = store.client(thread)
            for i in 0..<5_000 {
                _ = client.adjust(bytes("n"), 1)
                let key = bytes("v\(i)")
                switch client.findOrCreate(
                    key.span, hash: client.hash(key.span), now: client.now, value: key.span, clientFlags: 0,
                    exptime: .never, newCAS: nil)
                {
                case .created: created.add(1, ordering: .relaxed)
                case .found: break
                case .outOfMemory: break
                }
            }
        }
        #expect(store.client(0).get(bytes("n")) == bytes("20000"))
        #expect(created.load(ordering: .relaxed) == 5_000)
        #expect(store.brokenInvariants() == [])
    }

    @Test func aReadDoesNotPutAnItemBackOnProbation() throws {
        var options = StoreOptions()
        options.memoryLimit = 1 << 20
        options.clients = 2
        let store = try Store(options)
        let isOver = Atomic<Bool>(false)
        let hot = (0..<16).map { bytes("h\($0)") }
        onThreads(2) { thread in
            let client = store.client(thread)
            if thread == 0 {
                // Hot keys come back again and again as new items, which the probation hand then meets.
                let value = [UInt8](repeating: 1, count: 4000)
                for i in 0..<100_000 {
                    client.set(bytes("k\(i)"), value)
                    guard i % 20 == 0 else { continue }
                    _ = client.delete(hot[i / 20 % 16])
                    client.set(hot[i / 20 % 16], value)
                }
                return isOver.store(true, ordering: .relaxed)
            }
            var moment: UInt32 = 10
            while !isOver.load(ordering: .relaxed) {
                moment += 1
                for key in hot {
                    switch client.find(key.span, hash: client.hash(key.span), now: Moment(moment)) {
                    case .hit(let item):
                        for m in 0..<200 { item.recordAccess(now: Moment(moment + UInt32(m))) }
                    case .miss: break
                    }
                }
            }
        }
        #expect(store.brokenInvariants() == [])
    }
}
