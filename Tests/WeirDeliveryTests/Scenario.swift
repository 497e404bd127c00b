import Synchronization
import WeirDelivery
import WeirFlow
import WeirGates
import WeirTestKit
import WeirWorld

/// A chain in a simulated world: virtual time, one thread, no waiting.
final class Scenario: Sendable {
    let simulation = Simulation(seed: 1)
    let disk = SimulatedDisk(seed: 1)
    let registry = GateRegistry()
    let chain: DeliveryChain
    let time: SimulatedTime

    init(
        _ receivers: [any Destination], weights: [Int]? = nil, shape: DeliveryShape = DeliveryShape(linger: .zero),
        settings: DeliverySettings = DeliverySettings()
    ) {
        time = SimulatedTime(simulation)
        chain = DeliveryChain(
            name: "out",
            plan: DestinationPlan(
                shape: shape,
                endpoints: receivers.enumerated().map { place, receiver in
                    EndpointPlan(name: "endpoint-\(place)", weight: weights?[place] ?? 1) { _ in receiver }
                }), settings: settings, limitOrigin: "weir.yaml:7", type: "test", queueDirectory: "/data/out",
            senders: ["test"],
            resolver: FixedAddresses(), world: .simulated(simulation, files: disk), registry: registry)
    }

    func batch(_ texts: [String]) -> Batch {
        .texts(texts, context: BatchContext(kind: .raw, source: "test", received: simulation.wall))
    }

    /// About `bytes` of events, in one batch.
    func batch(bytes: Int) -> Batch { batch((0..<max(1, bytes / 100)).map { _ in String(repeating: "x", count: 99) }) }

    var reading: GateReading { chain.reading }

    /// Runs the chain round `body` and stops it.
    /// - Returns: false when `body` did not come to an end within an hour of virtual time.
    func play(_ body: @escaping @Sendable (Scenario) async throws -> Void) -> Bool {
        let box = Box()
        let hasEnded = simulation.run(limit: .seconds(3_600)) {
            do {
                try await self.chain.open()
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { await self.chain.run() }
                    do { try await body(self) } catch { box.set("\(error)") }
                    await self.chain.stop(drainWithin: .seconds(1))
                }
            } catch {
                box.set("\(error)")
            }
        }
        return hasEnded && box.text == nil
    }

    /// Lets virtual time pass until `isSo`, at most a minute; the law of conservation is looked at on the way.
    func until(_ isSo: () -> Bool, within most: Duration = .seconds(60)) async -> Bool {
        let end = time.now + most
        while time.now < end {
            if chain.reading.counters.unaccounted != 0 { return false }
            if isSo() { return true }
            try? await time.sleep(for: .milliseconds(10))
        }
        return isSo()
    }

    private final class Box: Sendable {
        private let value = Mutex<String?>(nil)
        func set(_ text: String) { value.withLock { $0 = text } }
        var text: String? { value.withLock { $0 } }
    }
}
