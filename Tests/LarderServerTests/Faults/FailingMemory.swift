// A daemon whose memory can be made to fail: failing-memory.c, built and preloaded, and the page it shares
// with the test.
import Foundation

final class FailingMemory {
    /// As `struct control` in failing-memory.c.
    private enum Word: Int { case countdown, calls, failed, live, site }
    private static let placesOffset = 128
    private static let placesMax = 8192
    private static let bytes = placesOffset + placesMax * 8

    let folder: TemporaryFolder
    private let page: UnsafeMutableRawPointer
    private let library: String

    init() throws {
        folder = try TemporaryFolder()
        library = folder.path("failing-memory.so")
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("failing-memory.c").path
        let compiler = Surroundings.find("clang") ?? Surroundings.find("cc")
        try Surroundings.require(compiler != nil, "a C compiler")
        let built = try ChildProcess.run(
            compiler!, ["-shared", "-fPIC", "-O1", "-Wall", "-o", library, source], upTo: 60)
        guard built.ending == .exited(0) else { throw Trouble(built.errors) }
        let path = folder.path("control")
        _ = FileManager.default.createFile(atPath: path, contents: Data(count: Self.bytes))
        let file = open(path, O_RDWR)
        defer { close(file) }
        page = mmap(nil, Self.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
    }

    deinit { munmap(page, Self.bytes) }

    /// What makes a daemon use it.
    var environment: [String: String] {
        ["LD_PRELOAD": library, "LARDER_FAILING_MEMORY": folder.path("control")]
    }

    private func read(_ word: Word) -> Int { page.load(fromByteOffset: word.rawValue * 8, as: Int.self) }
    private func write(_ word: Word, _ value: Int) {
        page.storeBytes(of: value, toByteOffset: word.rawValue * 8, as: Int.self)
    }

    /// The `number`th call from now on fails; 0: none.
    func fail(_ number: Int) {
        write(.countdown, 0)
        write(.failed, 0)
        write(.calls, 0)
        write(.countdown, number)
    }

    /// What `body` comes to while its `number`th call fails, and where that was; nil: it made fewer.
    func failing<Result>(_ number: Int, _ body: () throws -> Result) rethrows -> (Result, site: String?) {
        fail(number)
        defer { fail(0) }
        let result = try body()
        return (result, read(.failed) > 0 ? site : nil)
    }

    /// Which of `body`'s calls to let fail so that each place that asks for memory is met: the first from
    /// each unless `everyPlace` is false, and `more` spread over all; every one in a long run.
    func choice(_ more: Int, everyPlace: Bool = true, _ body: () throws -> Void) rethrows -> [Int] {
        fail(0)
        try body()
        let calls = read(.calls)
        if Surroundings.isLong { return Array(1...max(1, calls)) }
        var seen = Set<Int>()
        var chosen = Set<Int>()
        for number in 0..<(everyPlace ? min(calls, Self.placesMax) : 0) {
            let place = page.load(fromByteOffset: Self.placesOffset + number * 8, as: Int.self)
            if seen.insert(place).inserted { chosen.insert(number + 1) }
        }
        for step in 0..<more { chosen.insert(1 + step * calls / more) }
        return chosen.sorted()
    }

    var liveBlocks: Int { read(.live) }

    /// Where the failed call came from, to be looked up with a symbolizer.
    private var site: String {
        let name = String(cString: (page + 40).assumingMemoryBound(to: CChar.self))
        return "\(name.isEmpty ? "larder" : name) at 0x\(String(read(.site), radix: 16))"
    }
}
