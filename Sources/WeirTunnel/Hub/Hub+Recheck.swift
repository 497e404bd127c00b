internal import Logging
internal import WeirWorld

/// The policy is asked again about connections that are open: a right that was taken back ends them. What is asked is
/// what was asked before, without the port, once for all connections that have it in common.
extension Hub {
    /// Questions that are under way together.
    private static let recheckedAtOnce = 8

    /// Until the task is cancelled; at once where nothing is to be asked again.
    func recheck() async {
        guard let every = settings.recheckEvery else { return }
        while !Task.isCancelled {
            try? await world.time.sleep(for: every)
            guard !Task.isCancelled else { return }
            await withTaskGroup(of: Void.self) { group in
                for (number, question) in connections.questions.enumerated() {
                    if number >= Self.recheckedAtOnce { await group.next() }
                    group.addTask { await self.ask(question.value, again: question.key) }
                }
            }
        }
    }

    private func ask(_ question: OpenQuestion, again key: DecisionCache.Key) async {
        var question = question
        question.clientPort = nil
        let asked = world.time.now
        let decision = await policy.decide(question)
        observer.decided(decision, connector: question.connector, after: world.time.now - asked)
        // Only a decision takes back what a decision has given: that nobody answers ends no connection.
        guard decision.result == .deny else { return }
        let count = connections.reset(.denied) { DecisionCache.Key($0.question) == key }
        world.log.notice(
            "The policy lets open connections go on no more.",
            metadata: [
                "tunnel.connector": "\(question.connector)", "client": "\(question.clientAddress ?? "unknown")",
                "connections": "\(count)", "reason": "\(decision.reason ?? "none given")",
            ])
    }
}
