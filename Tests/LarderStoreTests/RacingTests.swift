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
    /// One of many operations on few keys; false if it finds a value that was never stored like that.
    private static func isRight(_ step: Int, _ client: StoreClient, _ random: inout SplitMix) -> Bool {
        let id = Int.random(in: 0..<800, using: &random)
        let key = bytes("r\(id)")
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<8:
            let most = 1 << Int.random(in: 3..<16, using: &random)
            let length = 16 + Int.random(in: 0..<most, using: &random)
            let exptime = step % 4 == 0 ? Moment(client.now.rawValue + 3) : .never
            client.set(key, ModelTests.stamped(id, UInt64(step), length), exptime: exptime)
        case 8: _ = client.delete(key)
        case 9:
            let length = 16 + Int.random(in: 0..<50_000, using: &random)
            _ = client.reserveAndCommit(key, ModelTests.stamped(id, UInt64(step), length), pieces: 5000)
        case 10 where step % 500 == 0: client.flushAll()
        default:
            guard let value = client.get(key) else { return true }
            let version = value[8..<16].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return ModelTests.isStamped(value, id, version)
        }
        return true
    }

    /// With one client its rounds lock without atomic instructions, beside a housekeeper and one who asks for
    /// figures.
    @Test(arguments: [4, 1])
    func valuesStayWholeUnderEvictionMovesAndFlushes(clients: Int) throws {
        var options = StoreOptions()
        options.memoryLimit = 3 << 20
        options.clients = clients
        let store = try Store(options)
        let wrong = Atomic<Int>(0)
        let isOver = Atomic<Bool>(false)
        onThreads(clients + 2) { thread in
            if thread == clients + 1 {
                while !isOver.load(ordering: .relaxed) {
                    _ = store.client(clients).snapshot()
                    usleep(1000)
                }
                return
            }
            if thread == clients {
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
            for first in stride(from: 0, to: 24_000 / clients, by: 20) {
                let isAlone = client.beginRound()
                for step in first..<first + 20 where !Self.isRight(step, client, &random) {
                    wrong.add(1, ordering: .relaxed)
                }
                if isAlone { client.endRound() }
            }
            if thread == 0 { isOver.store(true, ordering: .relaxed) }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
        #expect(store.brokenInvariants() == [])
    }

    /// What is being read for an append must not be the one that makes room for it, nor be moved: also where
    /// the only client locks by plain stores.
    @Test func whatIsAppendedToStaysWhileRoomIsMade() throws {
        var options = StoreOptions()
        options.memoryLimit = 2 << 20
        options.clients = 1
        let store = try Store(options)
        let client = store.client(0)
        var random = SplitMix(5)
        var lengths = [Int](repeating: 0, count: 300)
        for step in 0..<20_000 {
            let isAlone = client.beginRound()
            defer { if isAlone { client.endRound() } }
            #expect(isAlone)
            let id = Int.random(in: 0..<lengths.count, using: &random)
            let key = bytes("a\(id)")
            let piece = [UInt8](repeating: UInt8(id & 255), count: 100 + step % 3000)
            if step % 3 == 0 || lengths[id] > 60_000 {
                lengths[id] = client.set(key, piece).status == .stored ? piece.count : 0
            } else if client.set(key, piece, mode: step % 2 == 0 ? .append : .prepend).status == .stored {
                lengths[id] += piece.count
                let value = try #require(client.get(key, counts: false), "stored, and gone: \(key)")
                #expect(value.count == lengths[id] && value.allSatisfy { $0 == UInt8(id & 255) })
            }
        }
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
                    key.span, at: client.place(key.span), now: client.now, value: key.span, clientFlags: 0,
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
                    switch client.find(key.span, at: client.place(key.span), now: Moment(moment)) {
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
