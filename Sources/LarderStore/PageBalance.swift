// Which class should give a page to which: a pure function of the classes' figures. PageMover.swift carries
// it out.
//
// Keeping an item for a time proportional to its worth per byte (GDSF) means, in slabs, that the time the
// main hand needs for a round of a class, times its chunk size, should be the same in all classes. Where it
// is larger, memory is idle.

/// What the decision looks at.
struct ClassPressure {
    var id: UInt8
    var pages: Int
    var chunkBytes: Int
    /// Microseconds since the main hand last left the page it stands before.
    var age: UInt64
    /// Whether the class has had to evict since it last got a page.
    var isEvicting: Bool
    var hasEmptyPage = false

    var value: Double { Double(age) * Double(chunkBytes) }
}

struct PageBalance {
    /// A page moves only if, once moved, it is still worth so much more where it went.
    static let threshold = 1.1

    struct Move: Equatable {
        var from: UInt8
        var to: UInt8
    }

    /// The page move that pays most; nil if none pays.
    static func decide(_ classes: UnsafeBufferPointer<ClassPressure>) -> Move? {
        var giver: ClassPressure?
        var taker: ClassPressure?
        for c in classes {
            if c.pages > 1, giver == nil || c.value > giver!.value { giver = c }
            if c.isEvicting, taker == nil || c.value < taker!.value { taker = c }
        }
        guard let giver, let taker, giver.id != taker.id else { return nil }
        // With a page less the giver's round is shorter, with one more the taker's is longer: without this,
        // classes of a few pages would hand the same page to and fro.
        let after = (
            giver: giver.value * Double(giver.pages - 1) / Double(giver.pages),
            taker: taker.value * Double(taker.pages + 1) / Double(taker.pages)
        )
        guard after.giver > after.taker * threshold else { return nil }
        return Move(from: giver.id, to: taker.id)
    }
}
