// STUB until the store's face lands.
import LarderStore
final class Store: @unchecked Sendable {
    init(_ options: StoreOptions) throws {}
    func client(_ index: Int) -> StoreClient { fatalError() }
    var unixTimeOfMomentZero: Int64 { 0 }
    func tick() {}
    func housekeep() {}
}
