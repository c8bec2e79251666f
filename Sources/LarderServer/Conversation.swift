// What a connection owns only while it is in the middle of something: a session that can't be forgotten,
// input that waits for its rest, replies the client didn't take. One block of checked memory, gone as soon as
// the client is idle.
import Glibc
import LarderProtocol
import LarderStore

struct Conversation {
    /// The session, in this block.
    let session: UnsafeMutablePointer<Session>
    /// Replies the socket did not take, in this block; initialised only while `hasBacklog`.
    let backlog: UnsafeMutablePointer<ReplyBuffer>
    var hasBacklog = false
    /// The connection closes once the backlog is sent.
    var closesAfterBacklog = false
    /// Input not yet consumed: `stash + stashStart ..< stash + stashEnd`.
    var stash: UnsafeMutableRawPointer?
    var stashCapacity = 0
    var stashStart = 0
    var stashEnd = 0
    /// The client has not logged in yet: what it sends may be its password.
    var holdsSecrets = false
    /// The next connection in the worker's line of those that rest.
    var nextResting: UnsafeMutablePointer<Connection>?

    var stashCount: Int { stashEnd - stashStart }
}

typealias ConversationPointer = UnsafeMutablePointer<Conversation>

extension UnsafeMutablePointer where Pointee == Conversation {
    private static func rounded(_ size: Int) -> Int { (size + 15) & ~15 }

    /// A new block that takes over the session at `session`; nil (and the session untouched) without memory.
    static func make(taking session: UnsafeMutablePointer<Session>) -> ConversationPointer? {
        let header = rounded(MemoryLayout<Conversation>.size)
        let body = rounded(MemoryLayout<Session>.size)
        guard let block = malloc(header + body + MemoryLayout<ReplyBuffer>.size) else { return nil }
        let sessionPlace = (block + header).bindMemory(to: Session.self, capacity: 1)
        let backlogPlace = (block + header + body).bindMemory(to: ReplyBuffer.self, capacity: 1)
        let conversation = block.bindMemory(to: Conversation.self, capacity: 1)
        conversation.initialize(to: Conversation(session: sessionPlace, backlog: backlogPlace))
        sessionPlace.moveInitialize(from: session, count: 1)
        return conversation
    }

    /// Gives everything back; a value half received returns its memory, pinned values are unpinned.
    func destroy(store: StoreClient) {
        dropBacklog(store: store)
        pointee.session.deinitialize(count: 1)
        freeStash()
        Glibc.free(self)
    }

    func takeBacklog(_ replies: consuming ReplyBuffer) {
        pointee.backlog.initialize(to: replies)
        pointee.hasBacklog = true
    }

    func dropBacklog(store: StoreClient) {
        guard pointee.hasBacklog else { return }
        pointee.backlog.pointee.reset(store: store)
        pointee.backlog.deinitialize(count: 1)
        pointee.hasBacklog = false
    }

    /// Bytes that could be half a password don't outlive their use.
    func wipeStash() {
        if let stash = pointee.stash { explicit_bzero(stash, pointee.stashCapacity) }
    }

    private func freeStash() {
        if pointee.holdsSecrets { wipeStash() }
        Glibc.free(pointee.stash)
    }

    /// Makes `count` bytes at `bytes` the stash; they may lie in the stash itself. False without memory.
    func keep(_ bytes: UnsafeMutableRawPointer?, _ count: Int) -> Bool {
        guard count > 0, let bytes else {
            freeStash()
            pointee.stash = nil
            pointee.stashCapacity = 0
            pointee.stashStart = 0
            pointee.stashEnd = 0
            return true
        }
        if let stash = pointee.stash, bytes >= stash, bytes < stash + pointee.stashCapacity {
            pointee.stashStart = bytes - stash
            pointee.stashEnd = pointee.stashStart + count
            return true
        }
        if count > pointee.stashCapacity {
            guard let larger = malloc(count) else { return false }
            freeStash()
            pointee.stash = larger
            pointee.stashCapacity = count
        }
        memcpy(pointee.stash!, bytes, count)
        pointee.stashStart = 0
        pointee.stashEnd = count
        return true
    }
}
