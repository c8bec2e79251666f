import Testing
@testable import LarderStore

@Test func placeholder() {}
