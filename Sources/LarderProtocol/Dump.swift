// Answers that walk over all items: `lru_crawler metadump` and `mgdump`, `stats cachedump`, `stats sizes`. A dump is a
// cursor that goes on whenever its client has read what it was sent: it never blocks a worker for more than a step,
// and a client that stops reading costs nothing but the cursor.
import LarderStore

final class Dump {
    /// Items looked at in one step.
    static let itemsPerStep = 200

    /// Goes on for one step; true when the answer is complete. The session hands the reply over to be written (or
    /// lets others have their turn, if there is nothing in it) before it asks again.
    func proceed(_ worker: inout WorkerContext, _ reply: inout ReplyBuffer) -> Bool { true }
}
