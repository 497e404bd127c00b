import Synchronization
internal import WeirFlow

/// What clients may ask about: the receipts of their requests, by channel and number. Bounded: the channel that was
/// silent longest makes room for a new one, and a channel forgets its oldest numbers.
final class HECAcknowledgements: Sendable {
    private static let channelsMost = 1_000
    private static let receiptsMost = 10_000

    private struct Channel {
        var next: UInt64 = 0
        var receipts: [UInt64: Receipt] = [:]
        var lastUse: UInt64 = 0
    }

    private let state = Mutex<(channels: [String: Channel], clock: UInt64)>(([:], 0))

    /// Keeps the receipt of a request and gives it a number.
    func add(_ receipt: Receipt, channel name: String) -> UInt64 {
        state.withLock { state in
            state.clock += 1
            if state.channels[name] == nil, state.channels.count >= Self.channelsMost,
                let oldest = state.channels.min(by: { $0.value.lastUse < $1.value.lastUse })?.key
            {
                state.channels[oldest] = nil
            }
            var channel = state.channels[name] ?? Channel()
            let number = channel.next
            channel.next += 1
            channel.lastUse = state.clock
            channel.receipts[number] = receipt
            if channel.receipts.count > Self.receiptsMost, let oldest = channel.receipts.keys.min() {
                channel.receipts[oldest] = nil
            }
            state.channels[name] = channel
            return number
        }
    }

    /// For each number whether its events are safe. A number is forgotten once that was said.
    func status(_ numbers: [UInt64], channel name: String) -> [(UInt64, Bool)] {
        state.withLock { state in
            state.clock += 1
            state.channels[name]?.lastUse = state.clock
            return numbers.map { number in
                guard let receipt = state.channels[name]?.receipts[number] else { return (number, false) }
                let isKept = receipt.settlement == .kept
                if isKept { state.channels[name]?.receipts[number] = nil }
                return (number, isKept)
            }
        }
    }
}
