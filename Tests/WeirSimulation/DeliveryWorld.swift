import Synchronization
import WeirDelivery
import WeirFlow
import WeirGates
import WeirTestKit
import WeirWorld

/// What a seed makes of the world: receivers, settings, faults, disasters.
struct DeliveryWorld: Sendable, CustomStringConvertible {
    var endpoints: Int
    var weights: [Int]
    var isOrdered: Bool
    var settings = DeliverySettings()
    var shape = DeliveryShape()
    var faults: [SimulatedReceiver.Faults]
    var latency: Duration
    var producers: Int
    var batches: Int
    var hasBadEvents: Bool
    var crashes: Int
    /// A crash takes the power (what is not synced is lost); else only Weir dies.
    var losesPower: Bool
    var fillsDisk: Bool
    var failsSyncs: Bool
    /// In which steps of the trouble a person holds the gate; it is released two steps later.
    var holds: [Bool]

    init(_ random: inout SplitMix) {
        func chance(_ part: Double) -> Bool { Double(random.next() >> 11) * 0x1p-53 < part }
        func pick(_ range: ClosedRange<Int>) -> Int { range.lowerBound + Int(random.next() % UInt64(range.count)) }
        endpoints = chance(0.5) ? 1 : pick(2...3)
        weights = (0..<endpoints).map { _ in pick(1...4) }
        isOrdered = chance(0.5)
        settings.onBackpressure = chance(0.5) ? .queue : chance(0.75) ? .block : .drop
        settings.buffer = ByteCount(pick(2...40) * 1_000)
        if settings.onBackpressure == .queue {
            var queue = DiskQueueSettings()
            queue.mode = [.error, .backpressure, .always, .smart][pick(0...3)]
            queue.segmentSize = .kibibytes(64)
            queue.strictOrdering = chance(0.75)
            queue.drainRate = chance(0.2) ? pick(200...5_000) : nil
            queue.after = .seconds(pick(1...30))
            queue.durability = chance(0.8) ? .commit : .interval(.milliseconds(100))
            let isSmall = chance(0.4)
            queue.maxSize = isSmall ? .kibibytes(Int64(pick(16...64))) : .gigabytes(5)
            queue.onFull = isSmall ? [.block, .dropNewest, .dropOldest][pick(0...2)] : .block
            settings.queue = queue
        }
        shape.isOrdered = isOrdered
        shape.joinsContexts = true
        shape.concurrency = pick(1...5)
        shape.bytesMost = chance(0.5) ? 4_000 : 100_000
        shape.eventsMost = chance(0.2) ? 7 : .max
        shape.linger = chance(0.5) ? .zero : .milliseconds(pick(1...1_000))
        shape.timeout = .seconds(pick(1...10))
        // Swarm: most worlds have only some of the faults.
        var faults: [SimulatedReceiver.Faults] = []
        let kinds = (0..<8).map { _ in chance(0.4) }
        for _ in 0..<endpoints {
            var own = SimulatedReceiver.Faults()
            func fault(_ kind: Int, _ most: Double) -> Double {
                kinds[kind] && chance(0.7) ? most * Double(pick(1...10)) / 10 : 0
            }
            own.outage = fault(0, 0.2)
            own.busy = fault(1, 0.4)
            own.retryAfter = fault(2, 0.2)
            own.lostAnswer = fault(3, 0.2)
            own.reset = fault(4, 0.2)
            own.silence = fault(5, 0.1)
            own.partial = isOrdered ? 0 : fault(6, 0.4)
            own.unauthorized = fault(7, 0.05)
            faults.append(own)
        }
        self.faults = faults
        latency = .milliseconds(chance(0.5) ? 20 : 500)
        producers = pick(1...3)
        batches = pick(10...40)
        hasBadEvents = !isOrdered && chance(0.4)
        crashes = settings.onBackpressure == .queue && chance(0.5) ? pick(1...2) : 0
        losesPower = chance(0.5)
        fillsDisk = settings.onBackpressure == .queue && chance(0.25)
        failsSyncs = settings.onBackpressure == .queue && chance(0.25)
        holds = (0..<12).map { _ in chance(0.15) }
        if chance(0.6) { holds = [] }
        if losesPower, crashes > 0 { settings.queue?.durability = .commit }
    }

    var description: String {
        let queue = settings.queue.map { " \($0.mode.rawValue)/\($0.onFull.rawValue)/\($0.maxSize)" } ?? ""
        let order = isOrdered ? "ordered" : "unordered"
        var parts = [
            "\(endpoints) endpoints \(weights)", order, "\(settings.onBackpressure.rawValue)\(queue)",
            "buffer \(settings.buffer)", "\(producers) x \(batches) batches",
        ]
        if hasBadEvents { parts.append("bad events") }
        if crashes > 0 { parts.append("\(crashes) \(losesPower ? "power cuts" : "kills")") }
        if holds.contains(true) { parts.append("holds") }
        if fillsDisk { parts.append("disk full") }
        if failsSyncs { parts.append("sync errors") }
        return parts.joined(separator: ", ")
    }
}
