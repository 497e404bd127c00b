import CWeirSystem
import Glibc

/// Lanes with a thread each.
package struct LiveBlocking: BlockingExecutor {
    package init() {}

    package func lane(_ name: String) -> any BlockingLane { ThreadLane(name: name) }
}

/// One thread that runs jobs in the order they came. The thread starts with the first job and ends with `close()`.
private final class ThreadLane: BlockingLane {
    private let inbox: Inbox

    init(name: String) { inbox = Inbox(name: name) }

    deinit { inbox.close() }

    func enqueue(_ job: @escaping @Sendable () -> Void) { inbox.put(job) }

    func close() { inbox.close() }
}

// Unchecked: every stored variable is touched only while `mutex` is held. A POSIX mutex instead of `Mutex`, because the
// thread waits on a condition. Kept apart from the lane, so that a running thread does not keep its lane alive.
private final class Inbox: @unchecked Sendable {
    private let name: String
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [@Sendable () -> Void] = []
    private var isStarted = false
    private var isClosed = false

    init(name: String) {
        self.name = name
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func put(_ job: @escaping @Sendable () -> Void) {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        guard !isClosed else { return }
        jobs.append(job)
        if !isStarted {
            isStarted = true
            start()
        }
        if jobs.count == 1 { pthread_cond_signal(condition) }
    }

    func close() {
        pthread_mutex_lock(mutex)
        isClosed = true
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    /// All jobs that wait, or `nil` when the lane is closed and empty. Takes the whole list, so that a busy lane pays
    /// for the lock once a run of jobs.
    private func take() -> [@Sendable () -> Void]? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while jobs.isEmpty {
            if isClosed { return nil }
            pthread_cond_wait(condition, mutex)
        }
        let taken = jobs
        jobs = []
        return taken
    }

    private func start() {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        let code = pthread_create(
            &thread, &attributes,
            { context in
                guard let context else { return nil }
                let inbox = Unmanaged<Inbox>.fromOpaque(context).takeRetainedValue()
                weir_name_thread(inbox.name)
                while let jobs = inbox.take() {
                    for job in jobs { job() }
                }
                return nil
            }, context)
        // Without a thread nothing that was acknowledged could ever be written: the only honest answer at start.
        precondition(code == 0, "no thread for the lane \(name): errno \(code)")
    }
}
