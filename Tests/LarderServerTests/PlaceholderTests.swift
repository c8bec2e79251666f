import Testing
@testable import LarderServer

@Test func placeholder() {}
