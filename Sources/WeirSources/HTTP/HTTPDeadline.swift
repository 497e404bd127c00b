internal import NIOCore
internal import WeirWorld

/// The one timer of a connection. It is moved only to come earlier; when it comes too early it sets itself again. Lives
/// on the event loop.
final class HTTPDeadline {
    private let loop: any EventLoop
    private let time: any TimeSource
    private let due: () -> Void
    private var timer: Scheduled<Void>?
    private var timerDue = Moment.distantFuture
    private var moment = Moment.distantFuture
    private var isOnce = false

    init(_ loop: any EventLoop, _ time: any TimeSource, due: @escaping () -> Void) {
        self.loop = loop
        self.time = time
        self.due = due
    }

    func set(after duration: Duration) {
        isOnce = false
        moment = time.now + duration
        if timer == nil || moment < timerDue { arm() }
    }

    /// As `set(after:)`, but what was set this way already stays.
    func set(once duration: Duration) {
        if isOnce { return }
        set(after: duration)
        isOnce = true
    }

    func clear() {
        isOnce = false
        moment = .distantFuture
        timer?.cancel()
        timer = nil
    }

    private func arm() {
        timer?.cancel()
        timerDue = moment
        let bound = NIOLoopBound(self, eventLoop: loop)
        timer = loop.scheduleTask(in: .nanoseconds(max((moment - time.now).nanoseconds, 1_000_000))) {
            bound.value.look()
        }
    }

    private func look() {
        timer = nil
        if time.now >= moment {
            moment = .distantFuture
            isOnce = false
            due()
        }
        if timer == nil && moment != .distantFuture { arm() }
    }
}
