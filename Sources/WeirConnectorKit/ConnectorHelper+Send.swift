internal import NIOSSL
internal import Synchronization
internal import WeirGates
internal import WeirWorld

/// What became of a bundle.
public struct SentBundle: Sendable, Hashable {
    /// Messages that the platform has taken: one an object over AMQP, one in all by the API.
    public let messages: Int
    /// Identifiers of objects that were left out: of types that OpenCTI does not know, relationships without an end.
    public let leftOut: [String]
}

extension ConnectorHelper {
    /// Sends a bundle, and returns when the platform has taken all of it.
    ///
    /// Over AMQP it is cut into one message an object, in the order of their dependencies (`x_opencti_seq`), and each
    /// is confirmed; by the API it goes whole, and the platform cuts it. While the platform is full or away this waits,
    /// for as long as it takes: that is what holds a run back. A message whose confirm was lost is sent again, so
    /// objects arrive at least once; their identifiers tell.
    /// - Parameters:
    ///   - work: the work it belongs to.
    ///   - keepsAllTypes: over AMQP, also send objects of types that OpenCTI does not know. Weir takes them.
    /// - Throws: `BundleProblem` for a bundle that cannot be sent; `PlatformFailure` when the platform refuses it;
    ///   `CancellationError` when the process is told to end.
    @discardableResult
    public func send(
        _ bundle: STIXBundle, work: Work? = nil, keepsAllTypes: Bool = false
    ) async throws -> SentBundle {
        try bundle.check()
        let id = bundle.id ?? "bundle--\(UUIDText.random(means.random.next(), means.random.next()))"
        guard queueProtocol == .amqp else {
            let text = bundle.text(id: id)
            let connector = configuration.id
            try await patience.insist("push a bundle") { () async throws(PlatformFailure) in
                try await platform.push(connector, bundle: text, work: work?.id)
            }
            return SentBundle(messages: 1, leftOut: [])
        }
        let split = BundleSplitter.split(bundle, keepsAllTypes: keepsAllTypes)
        if !split.leftOut.isEmpty {
            log.warning(
                "Objects of a bundle are left out: OpenCTI does not know their types, or an end is missing.",
                ["count": .integer(Int64(split.leftOut.count)), "first": .string(split.leftOut[0])])
        }
        guard !split.parts.isEmpty else {
            throw BundleProblem("None of the bundle's \(bundle.objects.count) objects can be imported.")
        }
        if let work { try await expect(split.parts.count, of: work) }
        let message = QueueMessage(
            bundleID: id, applicantID: memory.withLock { $0.registration.userID }, work: work?.id)
        try await publish(split.parts, message)
        return SentBundle(messages: split.parts.count, leftOut: split.leftOut)
    }

    /// A work that is gone, or cannot be told, is no reason not to deliver.
    private func expect(_ count: Int, of work: Work) async throws {
        do {
            try await patience.insist("announce messages") { () async throws(PlatformFailure) in
                try await platform.addExpectations(work.id, count)
            }
        } catch let failure as PlatformFailure {
            log.warning(
                "A work's messages could not be announced.",
                ["work": .string(work.id), "reason": .string(failure.description)])
        }
    }

    // MARK: AMQP

    /// After a refusal. Source: pycti waits as long.
    private static let refusedPause = Duration.seconds(10)

    private func publish(_ parts: [BundleSplitter.Part], _ message: QueueMessage) async throws {
        var window = ConfirmWindow(count: parts.count)
        var backoff = Backoff(first: .seconds(1), most: .seconds(30), stable: .zero)
        defer { memory.withLock { $0.isHeld = false } }
        while !window.isDone {
            let before = window.taken
            do {
                try await publisher().publish(&window) { message.bytes(parts[$0], number: $0 + 1) }
            } catch let failure as QueueFailure where window.isDone {
                // All of it was taken before the connection broke.
                log.debug("The connection ended early.", ["reason": .string("\(failure)")])
            } catch let failure as QueueFailure {
                try Task.checkCancellation()
                if window.taken > before { backoff = Backoff(first: .seconds(1), most: .seconds(30), stable: .zero) }
                let pause = backoff.failed(at: means.time.now, random: means.random)
                try await recover(from: failure, pause: pause)
            }
        }
    }

    private func recover(from failure: QueueFailure, pause: Duration) async throws {
        switch failure {
        case .final(let text): throw PlatformFailure(.refused(name: nil), text)
        case .lost(let text), .closed(_, let text):
            log.warning("The broker is not there; it is tried again.", ["reason": .string(text)])
            try await means.time.sleep(for: pause)
            // After a restart its port or our key may be others.
            await registerAgain()
        case .refused(let hasNoQueue):
            memory.withLock { $0.isHeld = true }
            log.info("The queue takes nothing now; it is tried again.", ["no_queue": .bool(hasNoQueue)])
            try await means.time.sleep(for: ConnectorHelper.refusedPause)
            if hasNoQueue { await registerAgain() }
        }
    }

    private func publisher() throws -> QueuePublisher {
        guard let told = memory.withLock({ $0.registration.broker }) else {
            throw QueueFailure.lost("the platform offers no broker now")
        }
        let overrides = configuration.broker
        let tls = try Trust.configuration(overrides)
        return QueuePublisher(address: told.with(overrides), tls: tls) { [self] isHeld in
            let hasChanged = memory.withLock { memory in
                defer { memory.isHeld = isHeld }
                return memory.isHeld != isHeld
            }
            if hasChanged && isHeld { log.info("The broker holds the bundle back: its queue is full.") }
        }
    }

    /// Only where the broker is now is taken from the answer; the state is ours.
    private func registerAgain() async {
        do throws(PlatformFailure) {
            let registration = try await platform.register(configuration)
            memory.withLock {
                $0.registration.broker = registration.broker
                $0.registration.userID = registration.userID
            }
        } catch {
            log.debug("The connector could not register again.", ["reason": .string(error.description)])
        }
    }
}
