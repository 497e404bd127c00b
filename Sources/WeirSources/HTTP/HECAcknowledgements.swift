import Synchronization
internal import WeirFlow

/// What clients may ask about: the receipts of their requests, by channel and number. Bounded: a channel forgets its
/// oldest numbers, and the channel that was silent longest makes room for a new one, or when all together hold too
/// many. A number that is forgotten is `false` for ever, so that its sender sends again.
final class HECAcknowledgements: Sendable {
    private static let channelsMost = 1_000
    private static let receiptsMost = 10_000
    /// All channels together.
    private static let totalMost = 100_000

    private struct Channel {
        var next: UInt64 = 0
        /// No number below is kept.
        var oldest: UInt64 = 0
        var receipts: [UInt64: Receipt] = [:]
        var lastUse: UInt64 = 0

        /// - Returns: its number, and by how much the channel has grown.
        mutating func add(_ receipt: Receipt, clock: UInt64, most: Int) -> (number: UInt64, grown: Int) {
            let number = next
            next += 1
            lastUse = clock
            receipts[number] = receipt
            guard receipts.count > most else { return (number, 1) }
            while oldest < next, receipts.removeValue(forKey: oldest) == nil { oldest += 1 }
            return (number, 0)
        }
    }

    private struct State {
        var channels: [String: Channel] = [:]
        var clock: UInt64 = 0
        var total = 0

        mutating func forgetSilentChannel(but name: String) {
            let others = channels.lazy.filter { $0.key != name }
            guard let silent = others.min(by: { $0.value.lastUse < $1.value.lastUse })?.key else { return }
            total -= channels.removeValue(forKey: silent)?.receipts.count ?? 0
        }
    }

    private let state = Mutex(State())

    /// Keeps the receipt of a request and gives it a number.
    func add(_ receipt: Receipt, channel name: String) -> UInt64 {
        state.withLock { state in
            state.clock += 1
            let isNew = state.channels[name] == nil
            if (isNew && state.channels.count >= Self.channelsMost) || state.total >= Self.totalMost {
                state.forgetSilentChannel(but: name)
            }
            let (number, kept) = state.channels[name, default: Channel()].add(
                receipt, clock: state.clock, most: Self.receiptsMost)
            state.total += kept
            return number
        }
    }

    /// For each number whether its events are safe. A number is forgotten once that was said.
    func status(_ numbers: [UInt64], channel name: String) -> [(UInt64, Bool)] {
        state.withLock { state in
            state.clock += 1
            state.channels[name]?.lastUse = state.clock
            return numbers.map { number in
                let isKept = state.channels[name]?.receipts[number]?.settlement == .kept
                if isKept, state.channels[name]?.receipts.removeValue(forKey: number) != nil { state.total -= 1 }
                return (number, isKept)
            }
        }
    }
}
