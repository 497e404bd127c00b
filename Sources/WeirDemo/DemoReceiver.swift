import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
package import WeirWorld

/// A receiver that Weir plays itself in `weir demo`: it takes HTTP batches on loopback and behaves as it is told.
package struct DemoReceiver: Service {
    package enum Manner: Sendable {
        /// Takes everything at once.
        case healthy
        /// Answers each request only after this long.
        case slow(Duration)
        /// Answers 503 for `ill` out of every `period`, beginning with the illness.
        case flapping(ill: Duration, period: Duration)
    }

    private let manner: Manner
    private let time: any TimeSource
    private let began: Moment
    private let port: Port

    package init(_ manner: Manner, time: any TimeSource) {
        self.manner = manner
        self.time = time
        began = time.now
        port = Port()
    }

    /// The port it listens on, once it does.
    package func listening() async -> Int { await port.value() }

    package func run() async throws {
        let router = Router()
        router.post("/in") { request, _ -> Response in
            // Read to the end before the answer: a client that is still sending would see a reset.
            for try await _ in request.body {}
            return try await answer()
        }
        var log = Logger(label: "weir.demo.receiver")
        // Cancelling it is how the demo ends, and no news for the person in front of it.
        log.logLevel = .critical
        let port = port
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in port.set(channel.localAddress?.port ?? 0) }, logger: log)
        try await application.run()
    }

    private func answer() async throws -> Response {
        switch manner {
        case .healthy: return Response(status: .ok)
        case .slow(let delay):
            try await time.sleep(for: delay)
            return Response(status: .ok)
        case .flapping(let ill, let period):
            let phase = Duration.nanoseconds((time.now - began).nanoseconds % period.nanoseconds)
            return Response(status: phase < ill ? .serviceUnavailable : .ok)
        }
    }

    /// A port number that is waited for.
    private final class Port: Sendable {
        private let state = Mutex<(port: Int?, waiting: [CheckedContinuation<Int, Never>])>((nil, []))

        func set(_ port: Int) {
            let waiting = state.withLock { state in
                defer { state = (port, []) }
                return state.waiting
            }
            for continuation in waiting { continuation.resume(returning: port) }
        }

        func value() async -> Int {
            await withCheckedContinuation { continuation in
                let known = state.withLock { state -> Int? in
                    if state.port == nil { state.waiting.append(continuation) }
                    return state.port
                }
                if let known { continuation.resume(returning: known) }
            }
        }
    }
}
