// UDP: memcached's frame around the same session. One datagram is one whole request; the answer leaves in as
// many datagrams as it needs, each with the request's number, its own and their count.
import Glibc
import LarderProtocol
import LarderStore

struct Datagrams: EventHolder {
    var event = Event()
    let worker: WorkerPointer
    let descriptor: Int32

    static let headerBytes = 8
    /// Bytes of one datagram we send, header included: below what any usual network fragments.
    static let datagramMax = 1400
    /// Longest answer; a longer one is replaced by an error, since nobody could put it together again.
    static let answerMax = 2 << 20
    /// Requests answered at one wake-up.
    static let requestsPerTurn = 32
}

typealias DatagramsPointer = UnsafeMutablePointer<Datagrams>

private let datagramCame: EventCallback = { _, _, argument in
    let datagrams = argument!.assumingMemoryBound(to: Datagrams.self)
    datagrams.pointee.worker.answerWaiting()
    datagrams.serve()
}

extension UnsafeMutablePointer where Pointee == Datagrams {
    /// Lets `worker` serve the socket, before its thread runs.
    static func make(_ listener: Listener, _ worker: WorkerPointer) -> DatagramsPointer? {
        let served = DatagramsPointer.allocate(capacity: 1)
        served.initialize(to: Datagrams(worker: worker, descriptor: listener.descriptor))
        worker.pointee.loop.assign(
            served.eventPointer, listener.descriptor, Readiness.read | Readiness.persist, datagramCame,
            served)
        let entry = ConnectionTable.Entry(.reading, .udp, lastActivity: 0)
        worker.pointee.table.set(listener.descriptor, entry)
        guard served.eventPointer.add() else { return nil }
        return served
    }

    /// After the worker's thread has ended, before the worker is destroyed.
    func destroy() {
        eventPointer.remove()
        deallocate()
    }

    fileprivate func serve() {
        let worker = pointee.worker
        let input = worker.input
        for _ in 0..<Datagrams.requestsPerTurn {
            var peer = sockaddr_storage()
            var peerLength = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let got = withUnsafeMutablePointer(to: &peer) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(pointee.descriptor, input, ReadAhead.capacity, 0, $0, &peerLength)
                }
            }
            guard got >= 0 else { return }
            worker.pointee.store.count(.bytesRead, UInt64(got))
            worker.pointee.table.touch(pointee.descriptor, now: worker.pointee.store.now.rawValue)
            let frame = UnsafeRawBufferPointer(start: input, count: got)
            // A request in several datagrams is not put together; nor is what is no request answered.
            guard got > Datagrams.headerBytes, frame[4] == 0, frame[5] == 1 else { continue }
            let number = UInt16(frame[0]) << 8 | UInt16(frame[1])
            answer(frame, number: number, peer: &peer, peerLength)
        }
    }

    private func answer(
        _ frame: UnsafeRawBufferPointer, number: UInt16, peer: inout sockaddr_storage, _ peerLength: socklen_t
    ) {
        let worker = pointee.worker
        let store = worker.pointee.store
        worker.pointee.mailbox.serving.store(pointee.descriptor, ordering: .relaxed)
        worker.pointee.context.pointee.descriptor = pointee.descriptor
        var whole = ReplyBuffer()
        if !collect(frame, into: &whole) {
            whole.reset(store: store)
            whole.append("SERVER_ERROR out of memory writing get response\r\n")
        }
        worker.forgetTurn()
        guard let bytes = whole.plain, !bytes.isEmpty else { return }
        send(bytes, number: number, peer: &peer, peerLength)
        store.count(.bytesWritten, UInt64(bytes.count))
    }

    /// Runs the session over the request; false if the answer is too long or memory runs out. What the
    /// request lacks doesn't come any more, so the session ends here whatever it waits for.
    private func collect(_ frame: UnsafeRawBufferPointer, into whole: inout ReplyBuffer) -> Bool {
        let worker = pointee.worker
        let store = worker.pointee.store
        let reply = worker.pointee.reply
        let bytes = frame.bindMemory(to: UInt8.self)
        let request = UnsafeBufferPointer(rebasing: bytes[Datagrams.headerBytes...])
        var offset = 0
        while true {
            let rest = UnsafeBufferPointer(rebasing: request[offset...])
            let received = worker.pointee.scratch.pointee.receive(
                rest.span, &worker.pointee.context.pointee, &reply.pointee)
            offset += received.consumed
            guard reply.pointee.unsentBytes + whole.count <= Datagrams.answerMax else { return false }
            if reply.pointee.overflowed { return false }
            if worker.pointee.scratch.pointee.isDumping {
                // Nobody could put it together, and it would keep the worker's other clients waiting.
                reply.pointee.reset(store: store)
                whole.append("CLIENT_ERROR not over UDP\r\n")
                return true
            }
            drain(reply, into: &whole, store: store)
            if whole.overflowed { return false }
            switch received.verdict {
            case .flush: continue
            case .yield: continue
            case .effect(.setVerbosity(let level)): worker.pointee.server.setVerbosity(level)
            case .effect(.refreshCertificates): whole.append("ERROR\r\n")
            case .effect:
                // A watcher needs a connection, and anybody can ask for a stop in anybody's name.
                whole.append("CLIENT_ERROR not over UDP\r\n")
                return true
            default: return true
            }
        }
    }

    /// Moves the worker's replies, pinned values included, behind what is collected already.
    private func drain(
        _ reply: UnsafeMutablePointer<ReplyBuffer>, into whole: inout ReplyBuffer, store: StoreClient
    ) {
        let vectors = pointee.worker.pointee.vectors
        while !reply.pointee.isEmpty {
            let count = reply.pointee.fillVectors(vectors, limit: Worker.vectorCount, store: store)
            var moved = 0
            for i in 0..<count {
                let piece = UnsafeBufferPointer(
                    start: vectors[i].iov_base.assumingMemoryBound(to: UInt8.self), count: vectors[i].iov_len)
                whole.append(piece.span)
                moved += piece.count
            }
            reply.pointee.markSent(moved, store: store)
        }
        reply.pointee.reset(store: store)
    }

    private func send(
        _ bytes: UnsafeRawBufferPointer, number: UInt16, peer: inout sockaddr_storage, _ peerLength: socklen_t
    ) {
        let room = Datagrams.datagramMax - Datagrams.headerBytes
        let total = (bytes.count + room - 1) / room
        withUnsafeTemporaryAllocation(byteCount: Datagrams.datagramMax, alignment: 1) { datagram in
            for index in 0..<total {
                let end = Swift.min(bytes.count, (index + 1) * room)
                let piece = UnsafeRawBufferPointer(rebasing: bytes[(index * room)..<end])
                for (place, value) in [Int(number), index, total, 0].enumerated() {
                    datagram[place * 2] = UInt8(truncatingIfNeeded: value >> 8)
                    datagram[place * 2 + 1] = UInt8(truncatingIfNeeded: value)
                }
                datagram.baseAddress!.advanced(by: Datagrams.headerBytes)
                    .copyMemory(from: piece.baseAddress!, byteCount: piece.count)
                let length = Datagrams.headerBytes + piece.count
                let sent = withUnsafePointer(to: &peer) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        sendto(pointee.descriptor, datagram.baseAddress!, length, 0, $0, peerLength)
                    }
                }
                // What the socket doesn't take is lost, as datagrams are.
                if sent < 0 { return }
            }
        }
    }
}
