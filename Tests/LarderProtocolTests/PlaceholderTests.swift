import Testing
@testable import LarderProtocol

@Test func placeholder() {}
