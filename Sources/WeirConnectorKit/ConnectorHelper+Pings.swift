internal import Synchronization
internal import WeirWorld

extension ConnectorHelper {
    /// From one ping to the next. Source: pycti.
    static let pingInterval = Duration.seconds(40)

    /// One ping. They never overlap, because a state that overtakes another would come back as if it were new.
    func ping(limit: Duration = Platform.shortLimit) async {
        let (state, report) = memory.withLock { $0.pinged }
        do throws(PlatformFailure) {
            let remote = try await platform.ping(configuration.id, state: state, report: report, limit: limit)
            guard memory.withLock({ $0.answered(sent: state, remote: remote) }) else { return }
            log.info("The state was changed on the platform.", ["state": .string(self.state?.text ?? "none")])
        } catch {
            guard !Task.isCancelled else { return }
            log.error("The platform could not be pinged.", ["reason": .string(error.description)])
        }
    }

    /// Pings whenever the stream says so.
    func ping(on nudges: AsyncStream<Void>) async {
        for await _ in nudges { await ping() }
    }

    /// Says so every 40 s.
    func nudge(_ nudges: AsyncStream<Void>.Continuation) async {
        while (try? await means.time.sleep(for: ConnectorHelper.pingInterval)) != nil { nudges.yield() }
    }
}
