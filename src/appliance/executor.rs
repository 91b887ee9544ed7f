//! The one executor: everything but the store's writer and the blocking pool runs on the main thread.

use std::{cell::Cell, future::Future, panic::AssertUnwindSafe, pin::Pin, rc::Rc};

use async_executor::{LocalExecutor, Task};
use smol::future::FutureExt;

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Executor(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tasks: LocalExecutor<'static>,
    panics: Cell<u64>,
}

impl Executor {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs everything spawned until `main` is done.
    pub async fn run<T>(&self, main: impl Future<Output = T>) -> T {
        self.0.tasks.run(main).await
    }

    /// Starts a task that ends when its handle is dropped.
    pub fn spawn<T: 'static>(&self, task: impl Future<Output = T> + 'static) -> Task<T> {
        // Boxed: all tasks share the code of one.
        let task: Pin<Box<dyn Future<Output = T>>> = Box::pin(task);
        self.0.tasks.spawn(task)
    }

    /// Starts a session: it goes on by itself, and a panic in it ends nothing else.
    pub fn session(&self, session: impl Future<Output = ()> + 'static) {
        // Boxed for the same reason.
        let session: Pin<Box<dyn Future<Output = ()>>> = Box::pin(session);
        self.guard(session);
    }

    fn guard(&self, session: Pin<Box<dyn Future<Output = ()>>>) {
        let inner = Rc::downgrade(&self.0);
        let session = AssertUnwindSafe(session).catch_unwind();
        let task = async move {
            if session.await.is_err()
                && let Some(inner) = inner.upgrade()
            {
                inner.panics.set(inner.panics.get().saturating_add(1));
                ::log::error!(target: "panic", "a session ended by a panic");
            }
        };
        self.0.tasks.spawn(task).detach();
    }

    /// Sessions that ended by a panic; anything but 0 is a bug.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.0.panics.get()
    }
}
